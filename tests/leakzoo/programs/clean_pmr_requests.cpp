// SPDX-License-Identifier: Apache-2.0
// Linked: each request builds its document in a monotonic buffer over a tracked resource; the route table lives in a pool
// resource over another one, which keeps its chunks while entries come and go.

#include <memwatch/memwatch.hpp>

#include <map>
#include <memory_resource>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

memwatch::tag documents_tag{"zoo/documents"};
memwatch::tag routes_tag{"zoo/routes"};

ZOO_FUNCTION std::size_t build_document(unsigned fields, std::size_t field_bytes) {
    std::pmr::monotonic_buffer_resource arena(1024, memwatch::resource(documents_tag));
    std::pmr::map<std::pmr::string, std::pmr::string> document(&arena);
    for (unsigned field = 0; field < fields; ++field) {
        document.emplace("field-" + std::to_string(field), std::pmr::string(field_bytes, 'f', &arena));
    }
    return document.size();
}

class route_table {
public:
    ZOO_FUNCTION void learn_route(std::uint64_t target, std::size_t hops) {
        routes_.insert_or_assign(target, std::pmr::vector<std::uint64_t>(hops, target, &pool_));
    }
    void forget_route(std::uint64_t target) { routes_.erase(target); }

private:
    std::pmr::unsynchronized_pool_resource pool_{memwatch::resource(routes_tag)};
    std::pmr::map<std::uint64_t, std::pmr::vector<std::uint64_t>> routes_{&pool_};
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("build_document", "arena");
    zoo.is_clean("route_table::learn_route", "pool_high_water");
    const std::uint64_t targets = zoo.random().between(500U, 3000U);
    const unsigned most_fields = zoo.random().between(10U, 120U);
    static std::vector<route_table*> tables;
    for (int i = 0; i < zoo.threads(); ++i) { tables.push_back(new route_table); }  // as long as the process
    zoo.on_threads([&](zoo::worker& self) {
        route_table& routes = *tables[self.index()];
        while (self.tick(std::chrono::milliseconds(4))) {
            build_document(self.random().between(1U, most_fields), self.random().between(30U, 300U));
            for (int changes = 0; changes < 3; ++changes) {
                routes.learn_route(self.random().below(targets), self.random().between(4U, 40U));
                routes.forget_route(self.random().below(targets));
            }
        }
    });
    return zoo.end();
}
