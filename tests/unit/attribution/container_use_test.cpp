// SPDX-License-Identifier: Apache-2.0
#include "attribution/container_use.hpp"

#include <catch2/catch.hpp>

using namespace memwatch;

namespace {

// A stack of one frame a function, innermost first.
container_use use_of(const std::vector<const char*>& functions) {
    std::vector<frame> stack;
    for (const char* function : functions) { stack.push_back({0, 0x1000 + stack.size(), {{function, "src/a.cpp", 7}}}); }
    return read_stack(stack);
}

}  // namespace

TEST_CASE("container_use: a string in a map was made by string and is held by map") {
    const container_use use =
        use_of({"operator new(unsigned long)",
                "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::_M_create(unsigned long&, "
                "unsigned long)",
                "std::map<int, std::__cxx11::basic_string<char> >::operator[](int const&)", "shop::remember(int)", "main"});
    CHECK(use.made == container::string);
    CHECK(use.holder == container::tree);
    CHECK(use.called == "std::map::operator[]");
    CHECK(use.user_function == "shop::remember(int)");
    CHECK(use.user_file == "src/a.cpp");
    CHECK(use.user_line == 7);
}

TEST_CASE("container_use: what libstdc++ calls inside its containers counts as the container") {
    CHECK(
        use_of(
            {"std::__new_allocator<std::_Rb_tree_node<int> >::allocate(unsigned long, void const*)",
             "std::_Rb_tree<int, int, std::_Identity<int>, std::less<int>, std::allocator<int> >::_M_insert_unique<int>(int&&)",
             "f()"})
            .holder == container::tree);
    CHECK(use_of({"std::__detail::_Hashtable_alloc<std::allocator<int> >::_M_allocate_node<int>(int&&)",
                  "std::_Hashtable<int, int, std::allocator<int> >::_M_emplace<int>(int&&)", "f()"})
              .holder == container::hash);
    CHECK(use_of({"std::vector<int>::_M_realloc_insert<int>(int&&)", "f()"}).made == container::vector);
    CHECK(use_of({"std::_Deque_base<int>::_M_allocate_node()", "std::deque<int>::push_back(int const&)", "f()"}).holder ==
          container::deque);
    CHECK(use_of({"std::__shared_count<(__gnu_cxx::_Lock_policy)2>::__shared_count<shop::page>(shop::page*&)",
                  "std::make_shared<shop::page>()", "f()"})
              .made == container::shared_pointer);
    CHECK(use_of({"std::_Function_base::_Base_manager<f()::{lambda()#1}>::_M_create(std::_Any_data&)", "f()"}).made ==
          container::function);
}

TEST_CASE("container_use: hash tables that are not the library's are containers, not the user's code") {
    const container_use use =
        use_of({"absl::container_internal::raw_hash_set<int>::resize(unsigned long)", "shop::remember(int)"});
    CHECK(use.holder == container::hash);
    CHECK(use.user_function == "shop::remember(int)");
}

TEST_CASE("container_use: new and malloc straight from the user's code are told apart from containers") {
    CHECK(use_of({"operator new(unsigned long)", "f()"}).holder == container::plain_new);
    CHECK(use_of({"malloc", "operator new(unsigned long)", "f()"}).holder == container::plain_new);
    CHECK(use_of({"__GI___strdup", "f()"}).holder == container::c_heap);
    CHECK(use_of({"malloc", "strdup", "f()"}).called == "strdup");
    CHECK(use_of({"f()"}).holder == container::none);
}

TEST_CASE("container_use: a type in template arguments is not the container") {
    CHECK(use_of({"std::vector<std::map<int, int>, std::allocator<std::map<int, int> > >::reserve(unsigned long)", "f()"})
              .holder == container::vector);
}

TEST_CASE("container_use: a stack without names says nothing") {
    const container_use use = read_stack({frame{0, 0x1000, {}}, frame{no_module, 0x2000, {}}});
    CHECK(use.made == container::none);
    CHECK(use.user_function.empty());
}

TEST_CASE("container_use: hostile names are only text") {
    for (const char* name :
         {"", "<<<<<", ">>>>", "std::map<", "std::", "operator<", "std::map<int>>>>::f", "((((", "\xff\xfe`|\n"}) {
        const container_use use = use_of({name, name});
        CHECK(use.called.size() < 100);
    }
}

TEST_CASE("container_use: names of caches are known by their words") {
    CHECK(sounds_like_cache("OrderCache::put"));
    CHECK(sounds_like_cache("orders::memoize"));
    CHECK_FALSE(sounds_like_cache("orders::remember"));
}
