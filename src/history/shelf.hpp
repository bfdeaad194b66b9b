// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the dumps of a history lie: in memory, or in a folder (folder_shelf.hpp). put() and drop() by one thread, get() and
// bytes_in_memory() by any.

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {
namespace history {

class shelf {
public:
    shelf() = default;
    shelf(const shelf&) = delete;
    shelf& operator=(const shelf&) = delete;
    virtual ~shelf() = default;

    // Whole or not at all. Errors: io, limit.
    [[nodiscard]] virtual result<void> put(const std::string& name, std::string_view dump) = 0;
    // Errors: not_found, io.
    [[nodiscard]] virtual result<std::string> get(const std::string& name) const = 0;
    virtual void drop(const std::string& name) noexcept = 0;
    [[nodiscard]] virtual std::size_t bytes_in_memory() const noexcept = 0;
    // For people: "memory", or the folder.
    [[nodiscard]] virtual std::string where() const = 0;

    virtual void lock_for_fork() {}
    virtual void unlock_after_fork() {}
    // In a forked child: what is the parent's alone is let go; frees nothing. True: then nothing is left of it.
    virtual bool enter_child() noexcept { return false; }
};

class memory_shelf final : public shelf {
public:
    [[nodiscard]] result<void> put(const std::string& name, std::string_view dump) override;
    [[nodiscard]] result<std::string> get(const std::string& name) const override;
    void drop(const std::string& name) noexcept override;
    [[nodiscard]] std::size_t bytes_in_memory() const noexcept override;
    [[nodiscard]] std::string where() const override { return "memory"; }
    void lock_for_fork() override { mutex_.lock(); }
    void unlock_after_fork() override { mutex_.unlock(); }

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<const std::string>> dumps_;  // guarded by mutex_
    std::size_t bytes_{};                                              // guarded by mutex_
};

}  // namespace history
}  // namespace v1
}  // namespace memwatch
