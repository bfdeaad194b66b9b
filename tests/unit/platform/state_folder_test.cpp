// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "platform/state_folder.hpp"

using namespace memwatch;
namespace fs = std::filesystem;

namespace {

class scratch {
public:
    scratch() {
        std::string name = (fs::temp_directory_path() / "memwatch-state-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~scratch() { fs::remove_all(path_); }
    [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

private:
    fs::path path_;
};

mode_t mode_of(const std::string& path) {
    struct stat about {};
    REQUIRE(lstat(path.c_str(), &about) == 0);
    return about.st_mode & 0777U;
}

state_folder open_folder(const std::string& path) {
    auto folder = state_folder::open(path);
    REQUIRE(folder);
    return std::move(*folder);
}

}  // namespace

TEST_CASE("state_folder: is made with what is missing above it, for this user alone", "[platform]") {
    const scratch here;
    const auto before = umask(0);
    const state_folder folder = open_folder(here / "a/b/state");
    REQUIRE(folder.replace("kept", "bytes"));
    REQUIRE(folder.create("box"));
    umask(before);
    CHECK(mode_of(here / "a") == 0700);
    CHECK(mode_of(here / "a/b/state") == 0700);
    CHECK(mode_of(here / "a/b/state/kept") == 0600);
    CHECK(mode_of(here / "a/b/state/box") == 0600);
    CHECK(folder.path() == here / "a/b/state");
    CHECK_FALSE(state_folder::open_existing(here / "nothing"));
    CHECK_FALSE(fs::exists(here / "nothing"));
}

TEST_CASE("state_folder: links, files and what others may write to are refused", "[platform]") {
    const scratch here;
    static_cast<void>(open_folder(here / "real"));
    fs::create_directory_symlink(here / "real", here / "link");
    CHECK_FALSE(state_folder::open(here / "link"));
    CHECK_FALSE(state_folder::open(here / "link/"));  // a slash at the end would follow it
    std::ofstream(here / "file") << "x";
    CHECK_FALSE(state_folder::open(here / "file"));
    chmod((here / "real").c_str(), 0770);
    CHECK_FALSE(state_folder::open(here / "real"));
    chmod((here / "real").c_str(), 0755);
    CHECK(state_folder::open(here / "real"));
    CHECK_FALSE(state_folder::open(""));
    if (geteuid() == 0) {
        REQUIRE(chown((here / "real").c_str(), 65534, 65534) == 0);
        CHECK_FALSE(state_folder::open(here / "real"));
    } else {
        CHECK_FALSE(state_folder::open_existing("/"));  // root's
    }
}

TEST_CASE("state_folder: a name is a name, a file is a plain file of ours", "[platform]") {
    const scratch here;
    const state_folder folder = open_folder(here / "state");
    std::ofstream(here / "outside") << "secret";
    for (const char* name : {"", ".", "..", "../outside", "a/b", "/etc/passwd"}) {
        CAPTURE(name);
        CHECK_FALSE(folder.create(name));
        CHECK_FALSE(folder.open_file(name));
        CHECK_FALSE(folder.replace(name, "x"));
        CHECK_FALSE(folder.remove(name));
        CHECK_FALSE(folder.rename(name, "fine"));
        CHECK_FALSE(folder.rename("fine", name));
    }
    fs::create_symlink(here / "outside", here / "state/link");
    CHECK_FALSE(folder.open_file("link"));
    CHECK_FALSE(folder.create("link"));
    REQUIRE(folder.replace("link", "ours"));  // the link goes, not what it points to
    CHECK(folder.read("link", 100).value_or("") == "ours");
    std::ifstream outside(here / "outside");
    CHECK(std::string(std::istreambuf_iterator<char>(outside), {}) == "secret");
    REQUIRE(mkfifo((here / "state/fifo").c_str(), 0600) == 0);
    CHECK_FALSE(folder.open_file("fifo"));
    REQUIRE(folder.replace("open", "x"));
    chmod((here / "state/open").c_str(), 0666);
    CHECK_FALSE(folder.open_file("open"));
}

TEST_CASE("state_folder: what is written is read, listed, renamed and removed", "[platform]") {
    const scratch here;
    const state_folder folder = open_folder(here / "state");
    REQUIRE(folder.replace("one", "first", true));
    REQUIRE(folder.replace("one", "second"));
    CHECK(folder.read("one", 6).value_or("") == "second");
    CHECK(folder.read("one", 5).error().code == error_code::limit);
    CHECK(folder.read("two", 5).error().code == error_code::not_found);
    REQUIRE(folder.rename("one", "two"));
    CHECK_FALSE(folder.rename("one", "three"));
    fs::create_directory(here / "state/sub");
    const auto all = folder.list();
    REQUIRE(all);
    REQUIRE(all->size() == 1);
    CHECK(all->front().name == "two");
    CHECK(all->front().size_bytes == 6);
    CHECK(all->front().modified_ns > 1'000'000'000ULL * 1'000'000'000);
    CHECK(folder.list()->size() == 1);  // again from the beginning
    CHECK(folder.list(0)->empty());
    CHECK(folder.remove("two"));
    CHECK(folder.remove("two"));
    CHECK(folder.list()->empty());
}

TEST_CASE("state_folder: it is the folder, not its path", "[platform]") {
    const scratch here;
    const state_folder folder = open_folder(here / "state");
    fs::rename(here / "state", here / "moved");
    fs::create_directory(here / "state");
    REQUIRE(folder.replace("kept", "x"));
    CHECK(fs::exists(here / "moved/kept"));
    CHECK(fs::is_empty(here / "state"));
}

TEST_CASE("state_file: reserved bytes are there, a file cut short grows again", "[platform]") {
    const scratch here;
    const state_folder folder = open_folder(here / "state");
    const auto file = folder.create("box");
    REQUIRE(file);
    CHECK_FALSE(folder.create("box"));
    const int reserved = file->reserve(1U << 16U);
    CHECK((reserved == 0 || reserved == EOPNOTSUPP));
    CHECK(file->size_bytes() == 1U << 16U);
    CHECK(file->write_at(100, "abc", 3) == 0);
    char back[4]{};
    CHECK(file->read_at(100, back, 3) == 3);
    CHECK(std::string(back) == "abc");
    REQUIRE(file->resize(50) == 0);
    CHECK(file->read_at(100, back, 3) == 0);
    CHECK(file->write_at(4000, "abc", 3) == 0);
    CHECK(file->size_bytes() == 4003);
    CHECK(file->write_at(~std::uint64_t{0}, "abc", 3) == EFBIG);
    CHECK(file->sync() == 0);
    CHECK(file->is_linked());
    REQUIRE(folder.remove("box"));
    CHECK_FALSE(file->is_linked());
    CHECK(state_file{}.write_at(0, "abc", 3) == EBADF);
}

TEST_CASE("state_file: a number that the host closed and got again is not written to", "[platform]") {
    const scratch here;
    const state_folder folder = open_folder(here / "state");
    const auto file = folder.create("box");
    REQUIRE(file);
    const int theirs = ::open((here / "theirs").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int number = 3; number < 1024; ++number) {
        char name[64]{};
        const std::string link = "/proc/self/fd/" + std::to_string(number);
        if (readlink(link.c_str(), name, sizeof name - 1) > 0 && std::string(name) == here / "state/box") {
            REQUIRE(dup2(theirs, number) == number);
        }
    }
    CHECK_FALSE(file->is_open());
    CHECK(file->write_at(0, "abc", 3) == EBADF);
    CHECK(file->resize(10) == EBADF);
    CHECK(fs::file_size(here / "theirs") == 0);
    close(theirs);
}

TEST_CASE("state_file: is in use for as long as its process lives", "[platform]") {
    const scratch here;
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const state_folder folder = open_folder(here / "state");
    REQUIRE(folder.replace("box", "x"));
    const pid_t child = fork();
    if (child == 0) {
        const auto file = folder.open_file("box");
        const char said = file && file->try_lock() ? 'y' : 'n';
        if (write(ready[1], &said, 1) != 1) { _exit(1); }
        pause();
    }
    char said = 0;
    REQUIRE(read(ready[0], &said, 1) == 1);
    CHECK(said == 'y');
    const auto file = folder.open_file("box");
    REQUIRE(file);
    CHECK_FALSE(file->try_lock());
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    CHECK(file->try_lock());
    close(ready[0]);
    close(ready[1]);
}
