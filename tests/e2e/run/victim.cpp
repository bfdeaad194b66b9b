// SPDX-License-Identifier: Apache-2.0
// A program that knows nothing of memwatch. Does what its words say, one after the other:
//   keep=BYTES         blocks of 1 KiB that stay, made by keep_blocks()
//   churn=COUNT        blocks that go again
//   fork               the rest in a child, too; the parent waits for it
//   exec               the rest in a new image of this program
//   title              overwrites its environment, as programs with a title in ps do
//   close              closes all descriptors above 2
//   user=UID           drops privileges
//   term               ends with 42 at SIGTERM
//   wait               says "ready PID", waits for a line on stdin
//   exit=N, kill=N, _exit=N
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

std::vector<void*>& kept() {
    static auto& list = *new std::vector<void*>;
    return list;
}

[[gnu::noinline]] void keep_blocks(std::size_t bytes) {
    for (std::size_t sum = 0; sum < bytes; sum += 1024) { kept().push_back(std::malloc(1024)); }
}

void churn(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        volatile char* const block = new char[100];
        delete[] block;
    }
}

std::size_t number_in(const char* word) { return std::strtoul(std::strchr(word, '=') + 1, nullptr, 10); }
bool is(const char* word, const char* name) { return std::strncmp(word, name, std::strlen(name)) == 0; }

void wait_for_line() {
    std::printf("ready %d\n", getpid());
    std::fflush(stdout);
    char line[16];
    if (std::fgets(line, sizeof line, stdin) == nullptr) { std::clearerr(stdin); }
}

void exec_rest(char** words, char* self) {
    std::vector<char*> rest{self};
    for (; *words != nullptr; ++words) { rest.push_back(*words); }
    rest.push_back(nullptr);
    execv("/proc/self/exe", rest.data());
    std::_Exit(99);
}

}  // namespace

int main(int, char** words) {
    char* const self = words[0];
    for (++words; *words != nullptr; ++words) {
        const char* const word = *words;
        if (is(word, "keep=")) { keep_blocks(number_in(word)); }
        if (is(word, "churn=")) { churn(number_in(word)); }
        if (is(word, "exec")) { exec_rest(words + 1, self); }
        if (is(word, "title")) {
            for (char** at = environ; *at != nullptr; ++at) { std::memset(*at, ' ', std::strlen(*at)); }
        }
        if (is(word, "close")) {
            for (int fd = 3; fd < 4096; ++fd) { close(fd); }
        }
        if (is(word, "user=") && setuid(static_cast<uid_t>(number_in(word))) != 0) { return 98; }
        if (is(word, "term")) {
            std::signal(SIGTERM, [](int) { _exit(42); });
        }
        if (is(word, "wait")) { wait_for_line(); }
        if (is(word, "exit=")) { std::exit(static_cast<int>(number_in(word))); }
        if (is(word, "_exit=")) { _exit(static_cast<int>(number_in(word))); }
        if (is(word, "kill=")) { std::raise(static_cast<int>(number_in(word))); }
        if (is(word, "fork")) {
            if (fork() != 0) {
                int status = 0;
                wait(&status);
            }
        }
    }
    return 0;
}
