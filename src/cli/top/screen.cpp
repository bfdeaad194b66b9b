// SPDX-License-Identifier: Apache-2.0
#include "cli/top/screen.hpp"

#include <langinfo.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cwchar>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#define NCURSES_NOMACROS 1  // move, erase ... as functions
#define NCURSES_WIDECHAR 1
#include <ncurses.h>

#include "cli/top/lines.hpp"
#include "cli/top/pace.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {
namespace {

std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

// SIGINT, SIGQUIT, SIGTERM, SIGHUP and SIGWINCH as something to poll: no handler runs while ncurses is at work. Blocked before
// the asker's thread starts, which inherits it.
class signals {
public:
    signals() {
        sigemptyset(&wanted_);
        for (const int each : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGWINCH}) { sigaddset(&wanted_, each); }
        pthread_sigmask(SIG_BLOCK, &wanted_, &before_);
        descriptor_ = ::signalfd(-1, &wanted_, SFD_CLOEXEC | SFD_NONBLOCK);
    }
    ~signals() {
        ::close(descriptor_);
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    signals(const signals&) = delete;
    signals& operator=(const signals&) = delete;

    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

    // 0 = none is waiting.
    [[nodiscard]] int take() const {
        signalfd_siginfo info{};
        return ::read(descriptor_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
    }

private:
    sigset_t wanted_{}, before_{};
    int descriptor_{};
};

// The asker's way to end a poll.
class bell {
public:
    bell() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    ~bell() { ::close(descriptor_); }
    bell(const bell&) = delete;
    bell& operator=(const bell&) = delete;

    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    static void ring(void* of) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written =
            ::write(static_cast<bell*>(of)->descriptor_, &one, sizeof one);  // full = rung already
    }
    void quiet() const {
        std::uint64_t ignored = 0;
        [[maybe_unused]] const auto read = ::read(descriptor_, &ignored, sizeof ignored);
    }

private:
    int descriptor_;
};

// The terminal while ncurses has it.
class canvas {
public:
    explicit canvas(bool with_colour) {
        std::setlocale(LC_CTYPE, "");
        is_utf8_ = std::string_view(nl_langinfo(CODESET)) == "UTF-8";
        screen_ = newterm(nullptr, stdout, stdin);
        if (screen_ == nullptr) { return; }
        set_term(screen_);
        cbreak();
        noecho();
        nonl();
        keypad(stdscr, true);
        nodelay(stdscr, true);
        set_escdelay(50);  // ms: a key's sequence comes in one piece, over ssh too; Esc alone should not feel dead
        curs_set(0);
        if (with_colour && has_colors()) {
            start_color();
            use_default_colors();
            init_pair(growth_pair, COLOR_YELLOW, -1);
            has_colour_ = true;
        }
    }
    ~canvas() { give_back(); }
    canvas(const canvas&) = delete;
    canvas& operator=(const canvas&) = delete;

    [[nodiscard]] bool is_open() const noexcept { return screen_ != nullptr; }

    void give_back() {
        if (screen_ == nullptr) { return; }
        endwin();
        delscreen(screen_);
        screen_ = nullptr;
    }

    [[nodiscard]] static screen_size size() {
        int high = 0, wide = 0;
        getmaxyx(stdscr, high, wide);
        return {static_cast<std::size_t>(wide), static_cast<std::size_t>(high)};
    }

    // After SIGWINCH. What stood there may have been moved by the terminal: all of it is drawn anew.
    static void resize() {
        winsize now{};
        if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) == 0 && now.ws_row > 0 && now.ws_col > 0) {
            resizeterm(now.ws_row, now.ws_col);
        }
        clearok(stdscr, true);
    }

    void show(const std::vector<line>& lines) const {
        erase();
        for (std::size_t i = 0; i < lines.size(); ++i) {
            // What wide characters of the line above pushed over the edge would stay here.
            attrset(A_NORMAL);
            move(static_cast<int>(i), 0);
            clrtoeol();
            attrset(static_cast<int>(attribute(lines[i].style)));
            const std::string text = spelled(lines[i]);
            mvaddnstr(static_cast<int>(i), 0, text.c_str(), static_cast<int>(text.size()));
        }
        attrset(A_NORMAL);
        refresh();
    }

    [[nodiscard]] static key_press next_key() {
        wint_t character = 0;
        const int kind = get_wch(&character);
        if (kind == KEY_CODE_YES) { return named(character) == key::none ? unknown() : key_press{named(character), {}}; }
        if (kind != OK) { return {}; }
        switch (character) {
            case '\r':
            case '\n':
                return {key::enter, {}};
            case 0x1B:
                return {key::escape, {}};
            case 0x7F:
            case '\b':
                return {key::backspace, {}};
            default:
                return character < ' ' ? unknown() : key_press{key::character, utf8_of(character)};
        }
    }

private:
    static constexpr short growth_pair = 1;

    [[nodiscard]] attr_t attribute(line_style style) const {
        switch (style) {
            case line_style::title:
                return A_BOLD;
            case line_style::heading:
            case line_style::selected:
                return A_REVERSE;
            case line_style::dim:
                return has_colour_ ? A_DIM : A_NORMAL;
            case line_style::caution:
                return A_BOLD;
            case line_style::growth:
                return has_colour_ ? static_cast<attr_t>(COLOR_PAIR(growth_pair)) : A_BOLD;
            case line_style::plain:
                break;
        }
        return A_NORMAL;
    }

    // Bars reach the right edge; where the terminal is not UTF-8, other characters are '?', not two or three odd ones.
    [[nodiscard]] std::string spelled(const line& from) const {
        std::string text;
        std::size_t wide = 0;
        for (const char c : from.text) {
            const auto byte = static_cast<unsigned char>(c);
            if ((byte & 0xC0U) != 0x80) { ++wide; }
            if (byte < 0x80 || is_utf8_) {
                text += c;
            } else if ((byte & 0xC0U) != 0x80) {
                text += '?';
            }
        }
        const bool is_bar = from.style == line_style::heading || from.style == line_style::selected;
        const std::size_t edge = size().columns;
        if (is_bar && wide < edge) { text.append(edge - wide, ' '); }
        return text;
    }

    [[nodiscard]] static key named(wint_t code) {
        switch (code) {
            case KEY_UP:
                return key::up;
            case KEY_DOWN:
                return key::down;
            case KEY_LEFT:
                return key::left;
            case KEY_RIGHT:
                return key::right;
            case KEY_PPAGE:
                return key::page_up;
            case KEY_NPAGE:
                return key::page_down;
            case KEY_HOME:
                return key::home;
            case KEY_END:
                return key::end;
            case KEY_ENTER:
                return key::enter;
            case KEY_BACKSPACE:
                return key::backspace;
            default:
                return key::none;
        }
    }

    [[nodiscard]] static key_press unknown() { return {key::none, " "}; }  // heard, and nothing to do

    [[nodiscard]] static std::string utf8_of(wint_t character) {
        char bytes[16];
        std::mbstate_t state{};
        const std::size_t count = std::wcrtomb(bytes, static_cast<wchar_t>(character), &state);
        return count == static_cast<std::size_t>(-1) ? std::string() : std::string(bytes, count);
    }

    SCREEN* screen_{};
    bool is_utf8_{}, has_colour_{};
};

class session_on_screen {
public:
    session_on_screen(service of, model shown, controls chosen, std::uint64_t interval_ns, bool with_colour)
        : model_(std::move(shown)),
          controls_(std::move(chosen)),
          interval_ns_(interval_ns),
          pace_(interval_ns),
          canvas_(with_colour),
          asker_(std::make_unique<asker>(std::move(of), &bell::ring, &bell_)) {}

    exit_status run() {
        if (!canvas_.is_open()) {
            print_error({error_code::unsupported, "this terminal cannot be drawn on; try --plain", "TERM"});
            return exit_status::usage;
        }
        while (!is_over_) {
            ask_when_due();
            canvas_.show(draw(model_, controls_, canvas::size(), interval_ns_));
            wait();
            hear_signals();
            hear_answer();
            hear_keys();
        }
        canvas_.give_back();
        const exit_status status = refused_                ? status_of(*refused_)
                                   : model_.has_answered() ? exit_status::fine
                                                           : exit_status::unreachable;
        if (refused_) {
            print_error(*refused_);
        } else if (!model_.has_answered() && !model_.trouble().empty()) {
            print_error({error_code::unreachable, model_.trouble(), {}});
        }
        leave(status);
        return status;
    }

private:
    void ask_when_due() {
        if (controls_.is_paused() || asker_->is_busy() || now_ns() < pace_.next_ns()) { return; }
        asked_records_ = model_.needs_records() || pace_.wants_records(now_ns());
        asker_->ask(asked_records_);
    }

    // A tick a second keeps nothing but the wish to be asked: answers, keys and signals ring by themselves.
    void wait() {
        pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {signals_.descriptor(), POLLIN, 0}, {bell_.descriptor(), POLLIN, 0}};
        const std::uint64_t now = now_ns();
        const std::uint64_t left_ms = pace_.next_ns() > now ? (pace_.next_ns() - now) / 1'000'000 + 1 : 0;
        const bool is_asking = asker_->is_busy() || controls_.is_paused();
        ::poll(watched, 3, is_asking ? -1 : static_cast<int>(std::min<std::uint64_t>(left_ms, 60'000)));
        if ((watched[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) { is_over_ = true; }  // the terminal is gone
    }

    void hear_signals() {
        while (const int signal = signals_.take()) {
            if (signal == SIGWINCH) {
                canvas::resize();
            } else {
                is_over_ = true;
                ending_ = signal == SIGINT ? 0 : signal;
            }
        }
    }

    void hear_answer() {
        bell_.quiet();
        std::optional<answer> got = asker_->take();
        if (!got) { return; }
        if (got->value) {
            pace_.answered(now_ns(), got->took_ns, asked_records_);
            model_.take(*got->value);
        } else {
            pace_.failed(now_ns(), got->retry_after_ns);
            model_.fail(got->value.error());
            if (!got->is_temporary && !model_.has_answered()) {  // asking again is no use
                refused_ = got->value.error();
                is_over_ = true;
            }
        }
    }

    void hear_keys() {
        for (key_press pressed = canvas::next_key(); pressed.what != key::none || !pressed.text.empty();
             pressed = canvas::next_key()) {
            if (controls_.press(pressed, model_, rows_that_fit(canvas::size())) == controls::wish::quit) { is_over_ = true; }
        }
    }

    // A question under way cannot be called back, and may take half a minute: nobody who has quit waits for it.
    void leave(exit_status status) {
        if (ending_ != 0) {
            std::signal(ending_, SIG_DFL);
            sigset_t only;
            sigemptyset(&only);
            sigaddset(&only, ending_);
            ::raise(ending_);
            pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
        }
        if (asker_->is_busy()) { std::_Exit(static_cast<int>(status)); }
    }

    signals signals_;  // before the thread
    bell bell_;
    model model_;
    controls controls_;
    std::uint64_t interval_ns_;
    pace pace_;
    canvas canvas_;
    std::unique_ptr<asker> asker_;
    std::optional<error> refused_;
    int ending_{};
    bool is_over_{}, asked_records_{};
};

}  // namespace

exit_status watch(service of, model shown, controls chosen, std::uint64_t interval_ns, bool with_colour) {
    return session_on_screen(std::move(of), std::move(shown), std::move(chosen), interval_ns, with_colour).run();
}

}  // namespace top
}  // namespace v1
}  // namespace memwatch
