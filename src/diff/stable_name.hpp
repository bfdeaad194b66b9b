// SPDX-License-Identifier: Apache-2.0
#pragma once
// The part of a function's name that the next build, another compiler and another choice of what to inline keep:
//
//   app::work(int) [clone .constprop.0], app::work.isra.0, app::work(int, bool)     app::work
//   main::{lambda(int)#2}::operator()(int) const, main::$_1::operator()             main::{lambda}::operator()
//   ns::text[abi:cxx11]()                                                           ns::text
//   {anonymous}::helper                                                             (anonymous namespace)::helper
//
// Several functions of one build may share a stable name (overloads, lambdas of one function, static functions of two files):
// `functions` tells them apart.

#include <string>
#include <string_view>

namespace memwatch::inline v1 {

[[nodiscard]] std::string stable_name(std::string_view demangled);

// The declaration as written, less what compilers number: overloads differ in it, two lambdas of one signature don't.
[[nodiscard]] std::string unnumbered(std::string_view demangled);

}  // namespace memwatch::inline v1
