// SPDX-License-Identifier: Apache-2.0
// A large cache that is full after a sixth of the run, beside four healthy helpers that are busy all the time: parsing,
// formatting, compressing and logging, each with lifetimes of its own. Most bytes belong to the cache, most events to the
// others.

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

class object_cache {
public:
    ZOO_FUNCTION void store_object(std::size_t size_bytes, std::size_t most) {
        objects_.push_back(std::make_unique<std::vector<char>>(size_bytes));
        if (objects_.size() > most) { objects_.pop_front(); }
    }

private:
    std::deque<std::unique_ptr<std::vector<char>>> objects_;
};

ZOO_FUNCTION std::list<std::string> parse_fields(unsigned fields) {
    std::list<std::string> parsed;
    for (unsigned i = 0; i < fields; ++i) { parsed.push_back("field=" + std::string(20 + i * 3, 'v')); }
    return parsed;
}

ZOO_FUNCTION std::string format_fields(const std::list<std::string>& fields) {
    std::string line;
    for (const std::string& field : fields) { line += field + "; "; }
    return line;
}

ZOO_FUNCTION std::vector<char> compress(const std::string& line) {
    std::vector<char> packed;
    for (std::size_t i = 0; i < line.size(); i += 3) { packed.push_back(line[i]); }
    return packed;
}

class audit_trail {
public:
    ZOO_FUNCTION void append(std::vector<char> packed, std::size_t most) {
        trail_.push_back(std::move(packed));
        if (trail_.size() > most) { trail_.erase(trail_.begin(), trail_.begin() + static_cast<std::ptrdiff_t>(most / 2)); }
    }

private:
    std::deque<std::vector<char>> trail_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("object_cache::store_object", "fifo_cache");
    zoo.is_clean("parse_fields", "churn");
    zoo.is_clean("format_fields", "churn");
    zoo.is_clean("compress", "sawtooth");
    zoo.is_clean("audit_trail::append", "sawtooth");
    const double requests = zoo.random().between(1.5, 4.0) / zoo.threads();  // a beat of 4 ms and thread
    const auto most = static_cast<std::size_t>(requests * 250 * zoo.seconds() * zoo.random().between(0.12, 0.2)) + 1;
    static std::vector<object_cache> caches(static_cast<std::size_t>(zoo.threads()));
    static std::vector<audit_trail> trails(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < requests * 250 * self.elapsed_s(); ++made) {
                caches[self.index()].store_object(self.random().between(1000U, 8000U), most);
                trails[self.index()].append(compress(format_fields(parse_fields(self.random().between(1U, 20U)))),
                                            most / 4 + 2);
            }
        }
    });
    return zoo.end();
}
