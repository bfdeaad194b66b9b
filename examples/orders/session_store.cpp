// SPDX-License-Identifier: Apache-2.0
#include "session_store.hpp"

#include "traceparent.hpp"

namespace orders {
namespace {

constexpr std::size_t profile_bytes = 8 * 1024;
constexpr std::size_t cart_limit = 50;

// 48 bits of randomness: plenty for an example, not for a session token on the internet.
std::string make_token() { return make_traceparent().substr(3, 12); }

}  // namespace

std::string session_store::log_in(std::string_view customer) {
    customer_session fresh{clock::now() + time_to_live_, tracked_string{customer, tracked<char>{tag_}},
                           tracked_vector<char>(profile_bytes, ' ', tracked<char>{tag_}),
                           tracked_vector<cart_line>{tracked<cart_line>{tag_}}};
    std::string token = make_token();
    const std::scoped_lock lock{mutex_};
    sessions_.try_emplace(tracked_string{token, tracked<char>{tag_}}, std::move(fresh));
    return token;
}

bool session_store::add_to_cart(std::string_view token, std::uint32_t sku, std::uint32_t quantity) {
    const std::scoped_lock lock{mutex_};
    const auto found = sessions_.find(token);
    if (found == sessions_.end()) { return false; }
    auto& cart = found->second.cart;
    if (cart.size() == cart_limit) { cart.erase(cart.begin()); }
    cart.push_back({sku, quantity});
    return true;
}

void session_store::sweep(clock::time_point now) {
    const std::scoped_lock lock{mutex_};
    std::erase_if(sessions_, [&](const auto& entry) { return entry.second.ends <= now; });
}

std::size_t session_store::size() const {
    const std::scoped_lock lock{mutex_};
    return sessions_.size();
}

}  // namespace orders
