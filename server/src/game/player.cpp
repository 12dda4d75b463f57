#include "game/player.h"

#include <algorithm>
#include <cmath>

#include "libsync/result.h"

namespace libsync::server {

Player::Player(std::string user, std::uint64_t now_ms) {
  state_.user = std::move(user);
  state_.amounts = kStartAmounts;
  state_.time_ms = now_ms;
}

Amounts Player::amounts_at(std::uint64_t now_ms) const {
  SYNC_ASSERT(now_ms >= state_.time_ms);
  Amounts amounts = state_.amounts;
  amounts += rates() * (static_cast<double>(now_ms - state_.time_ms) / 1000.0);
  return amounts;
}

Amounts Player::rates() const {
  Amounts rates = kBaseRates;
  for (const ResearchNode& node : research_tree()) {
    if (done(node.id)) rates += node.rates;
  }
  for (const BodyTraits& traits : kBodyTraits) {
    rates += traits.income * bodies_by_type_[static_cast<std::size_t>(traits.body_type)];
  }
  return rates;
}

world::ResearchStatus Player::status_of(const ResearchNode& node) const {
  if (done(node.id)) return world::ResearchStatus::kDone;
  if (state_.research_running == node.id) return world::ResearchStatus::kRunning;
  const bool open =
      std::all_of(node.prerequisites.begin(), node.prerequisites.end(), [this](std::uint16_t id) { return done(id); });
  return open ? world::ResearchStatus::kAvailable : world::ResearchStatus::kLocked;
}

bool Player::unlocked(const BodyTraits& traits) const {
  if (traits.unlocked_at_start) return true;
  const auto tree = research_tree();
  return std::any_of(tree.begin(), tree.end(),
                     [&](const ResearchNode& node) { return node.unlocks == traits.body_type && done(node.id); });
}

Price Player::price_of(const BodyTraits& traits) const {
  double factor = 1 + kPriceGrowth * bodies_by_type_[static_cast<std::size_t>(traits.body_type)];
  for (const ResearchNode& node : research_tree()) {
    if (done(node.id)) factor *= node.price_factor;
  }
  return {std::floor(traits.energy * factor + 0.5), std::floor(traits.minerals * factor + 0.5)};
}

std::uint32_t Player::bodies_allowed() const {
  std::uint32_t allowed = kStartAllowance;
  for (const ResearchNode& node : research_tree()) {
    if (done(node.id)) allowed += node.allowance;
  }
  return allowed;
}

void Player::count_body(BodyType type) {
  ++bodies_created_;
  ++bodies_by_type_[static_cast<std::size_t>(type)];
}

void Player::buy_body(const BodyTraits& traits, std::uint64_t now_ms) {
  settle(now_ms);
  const Price price = price_of(traits);
  state_.amounts.energy -= price.energy;
  state_.amounts.minerals -= price.minerals;
  count_body(traits.body_type);
}

void Player::start_research(const ResearchNode& node, std::uint64_t now_ms) {
  settle(now_ms);
  state_.amounts.science -= node.cost_science;
  state_.amounts.energy -= node.cost_energy;
  state_.research_running = node.id;
  state_.research_done_at_ms = now_ms + node.duration_ms;
}

void Player::finish_research() {
  SYNC_ASSERT(state_.research_running != 0);
  settle(state_.research_done_at_ms);
  state_.research_done.insert(state_.research_running);
  state_.research_running = 0;
  state_.research_done_at_ms = 0;
}

void Player::settle(std::uint64_t now_ms) {
  state_.amounts = amounts_at(now_ms);
  state_.time_ms = now_ms;
}

}  // namespace libsync::server
