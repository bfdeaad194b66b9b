// SPDX-License-Identifier: Apache-2.0
// Dumps on disk: whole or not at all.
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <memwatch/snapshot/codec.hpp>

#include "example_snapshot.hpp"
#include "support/random_snapshot.hpp"

namespace fs = std::filesystem;
using namespace memwatch_test;

namespace {

// An empty folder that is removed with all it holds.
class scratch {
public:
    scratch() {
        char name[] = "/tmp/memwatch-file.XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        path_ = name;
    }
    ~scratch() { fs::remove_all(path_); }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    [[nodiscard]] std::string operator/(const char* name) const { return (path_ / name).string(); }
    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator{path_}, fs::directory_iterator{}));
    }
    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    fs::path path_;
};

std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// Runs `action` in a child that may write at most `bytes` to a file: ENOSPC's cousin EFBIG without root or a small file system.
int with_file_limit(rlim_t bytes, bool (*action)(const std::string&), const std::string& path) {
    const pid_t child = fork();
    if (child == 0) {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{bytes, bytes};
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(action(path) ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("file: write_to and read_dump round trip; the dump is private to its owner") {
    const scratch dir;
    const auto path = dir / "a.memtrace";
    const auto s = example_snapshot();
    REQUIRE(s.write_to(path));
    CHECK(dir.files() == 1);
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    const auto decoded = read_dump(path);
    REQUIRE(decoded);
    CHECK(decoded->damage.empty());
    CHECK(same(decoded->value, s));
}

TEST_CASE("file: an existing file is replaced, also through its name only") {
    const scratch dir;
    const auto path = dir / "a";
    REQUIRE(write_file_atomically(path, "old"));
    REQUIRE(write_file_atomically(path, "new"));
    CHECK(content(path) == "new");
    // A symbolic link is replaced, never followed: what it points at stays.
    const auto link = dir / "link";
    REQUIRE(symlink(path.c_str(), link.c_str()) == 0);
    REQUIRE(write_file_atomically(link, "through"));
    CHECK(content(path) == "new");
    CHECK(fs::is_regular_file(fs::symlink_status(link)));
}

TEST_CASE("file: failures name the file, keep the old one and leave nothing behind") {
    const scratch dir;
    const auto missing = write_file_atomically(dir / "no/such/dir/a", "x");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == error_code::io);
    CHECK(missing.error().where == dir / "no/such/dir/a");
    CHECK(missing.error().what.find("No such file") != std::string::npos);
    const auto directory = write_file_atomically(dir.path(), "x");
    REQUIRE_FALSE(directory);
    CHECK(directory.error().what == "is a directory");
    CHECK_FALSE(write_file_atomically("/proc/memwatch-cannot-write-here", "x"));
    CHECK(dir.files() == 0);
    // What is no file stays what it is, also behind a link: /dev/null, /dev/stdout.
    const std::string fifo = dir / "fifo";
    const std::string link = dir / "link";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    REQUIRE(symlink(fifo.c_str(), link.c_str()) == 0);
    for (const std::string& path : {fifo, link}) {
        const auto special = write_file_atomically(path, "x");
        REQUIRE_FALSE(special);
        CHECK(special.error().what == "is not a regular file");
    }
    CHECK(fs::is_fifo(fifo));
    CHECK(fs::is_symlink(link));
}

TEST_CASE("file: a file system that takes no more leaves the old file and no temporary one") {
    const scratch dir;
    const auto path = dir / "a";
    REQUIRE(write_file_atomically(path, "old"));
    const auto write_large = [](const std::string& to) {
        const auto written = write_file_atomically(to, std::string(100'000, 'x'));
        return !written && written.error().code == error_code::io && written.error().where == to;
    };
    CHECK(with_file_limit(4096, write_large, path) == 0);
    CHECK(content(path) == "old");
    CHECK(dir.files() == 1);
}

TEST_CASE("file: ENOSPC on a tiny tmpfs leaves the old file and no temporary one") {
    const scratch dir;
    if (mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
        WARN("skipped: mounting a tmpfs is not allowed here");
        return;
    }
    const auto path = dir / "a";
    const bool first = write_file_atomically(path, "old").has_value();
    const auto full = write_file_atomically(path, std::string(1 << 20, 'x'));
    const auto old = content(path);
    const auto files = dir.files();
    umount(dir.path().c_str());
    CHECK(first);
    REQUIRE_FALSE(full);
    CHECK(full.error().what.find("No space left") != std::string::npos);
    CHECK(old == "old");
    CHECK(files == 1);
}

TEST_CASE("file: read_dump takes regular files of a sane size only") {
    const scratch dir;
    CHECK(read_dump(dir / "none").error().code == error_code::not_found);
    CHECK(read_dump(dir.path()).error().message() == dir.path() + ": is a directory");
    CHECK(read_dump("/dev/zero").error().what == "is not a regular file");
    const auto fifo = dir / "fifo";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(read_dump(fifo).error().what == "is not a regular file");  // and does not wait for a writer
    const auto path = dir / "a.memtrace";
    REQUIRE(example_snapshot().write_to(path));
    CHECK(read_dump(path, 100).error().code == error_code::limit);
    REQUIRE(write_file_atomically(path, "not a dump"));
    CHECK(read_dump(path).error().where == path + ": byte 0");
    REQUIRE(write_file_atomically(path, ""));
    CHECK(read_dump(path).error().code == error_code::unreadable);
}
