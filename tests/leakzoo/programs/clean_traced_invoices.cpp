// SPDX-License-Identifier: Apache-2.0
// Linked: requests write lines of an invoice that is printed when the month is over, a dozenth of the run: all of it outlives
// its traces, for very different whiles, and then goes at once, freed by the accountant's thread.

#include <memwatch/memwatch.hpp>

#include <mutex>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

memwatch::tag invoices_tag{"zoo/invoices"};

using invoice_line = std::vector<char, memwatch::tracked_allocator<char>>;

class invoice {
public:
    ZOO_FUNCTION void add_item(std::size_t size_bytes) {
        invoice_line item(size_bytes, 'i', memwatch::tracked_allocator<char>{invoices_tag});
        const std::lock_guard lock(mutex_);
        items_.push_back(std::move(item));
    }
    std::size_t print() {
        std::vector<invoice_line> printed;
        {
            const std::lock_guard lock(mutex_);
            printed.swap(items_);
        }
        return printed.size();
    }

private:
    std::mutex mutex_;
    std::vector<invoice_line> items_;
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("invoice::add_item", "sawtooth");
    const double items = zoo.random().between(2.0, 6.0) / zoo.threads();  // a beat of 4 ms and thread
    const double month_s = zoo.seconds() / zoo.random().between(9.0, 16.0);
    static invoice open_invoice;
    std::atomic<bool> is_open{true};
    std::thread accountant([&] {
        for (double next_s = month_s / 2; is_open; std::this_thread::sleep_for(std::chrono::milliseconds(5))) {
            if (zoo.elapsed_s() < next_s) { continue; }
            open_invoice.print();
            next_s += month_s;
        }
    });
    std::atomic<std::uint64_t> number{0};
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = items; self.random().chance(left); --left) {
                const memwatch::trace_scope scope{"purchase-" + std::to_string(++number), "/purchases"};
                open_invoice.add_item(self.random().between(100U, 3000U));
            }
        }
    });
    is_open = false;
    accountant.join();
    return zoo.end();
}
