#include "codec/align/bridge.h"

#include <algorithm>

namespace libsync::codec {

bool Bridge::cross(const Cursor& parted, const Cursor& met, WorkLeft& work) {
  // Beyond that match() finds more.
  constexpr std::size_t kMost = 256;
  olds_.clear();
  news_.clear();
  sides_.base.for_each(parted.from, met.from, [&](const Object& object) { olds_.push_back(object); });
  if (olds_.size() > kMost || !divider_.divide(parted.to, met.to, olds_, news_) || news_.size() > kMost) return false;
  n_crossed_ += olds_.size() + news_.size();
  if (n_crossed_ > 128 + sides_.base.n_objects() / 32) return false;
  work.n -= static_cast<std::int64_t>(16 * olds_.size() * news_.size());

  sources_.assign(news_.size(), kNone);
  is_used_.assign(olds_.size(), false);
  find_same();
  place_vtables();
  for (const std::uint32_t source : sources_) {
    if (source != kNone) is_used_[source] = true;
  }
  pair_neighbours();

  for (std::size_t i = 0; i < news_.size(); ++i) {
    Match match;
    match.object = news_[i];
    if (is_known(i)) match.source = olds_[sources_[i]].start;
    matches_.push(match);
  }
  for (std::size_t k = 0; k < olds_.size(); ++k) {
    if (!is_used_[k]) leftovers_.add(olds_[k]);
  }
  return true;
}

// What is the same, in order.
void Bridge::find_same() {
  std::size_t next = 0;
  for (std::size_t i = 0; i < news_.size(); ++i) {
    if (is_vtable(news_[i])) continue;
    for (std::size_t k = next; k < olds_.size() && !is_known(i); ++k) {
      if (comparer_.is_same(olds_[k], news_[i])) sources_[i] = static_cast<std::uint32_t>(k);
    }
    if (is_known(i)) next = sources_[i] + std::size_t{1};
  }
}

// Vtables come where the first table needs them, whatever that is: each between what is known already.
void Bridge::place_vtables() {
  std::size_t first = 0;
  for (std::size_t i = 0; i < news_.size(); ++i) {
    if (is_vtable(news_[i])) place_vtable(i, first);
    if (is_known(i)) first = sources_[i] + std::size_t{1};
  }
}
// From olds_[first] on.
void Bridge::place_vtable(std::size_t i, std::size_t first) {
  const auto known = std::find_if(sources_.begin() + static_cast<std::ptrdiff_t>(i) + 1, sources_.end(),
                                  [](std::uint32_t source) { return source != kNone; });
  const std::size_t end = known == sources_.end() ? olds_.size() : *known;
  for (std::size_t k = first; k < end && !is_known(i); ++k) {
    if (comparer_.is_same(olds_[k], news_[i])) sources_[i] = static_cast<std::uint32_t>(k);
  }
}

// What comes before or behind something known may be what did so in the baseline; but for vtables, which tell nothing
// of their neighbours.
void Bridge::pair_neighbours() {
  for (std::size_t i = 0; i < news_.size(); ++i) {
    if (i == 0) {
      pair(i, 0);
    } else if (is_known(i - 1) && !is_vtable(news_[i - 1])) {
      pair(i, sources_[i - 1] + std::size_t{1});
    }
  }
  // What tables refer to is behind them, so it goes with what is before.
  for (std::size_t i = news_.size(); i-- > 0;) {
    if (!is_table(news_[i])) continue;
    if (i + 1 == news_.size()) {
      if (!olds_.empty()) pair(i, olds_.size() - 1);
    } else if (is_known(i + 1) && sources_[i + 1] > 0 && !is_vtable(news_[i + 1])) {
      pair(i, sources_[i + 1] - std::size_t{1});
    }
  }
}
void Bridge::pair(std::size_t i, std::size_t k) {
  if (is_known(i) || k >= olds_.size() || is_used_[k]) return;
  if (is_vtable(olds_[k]) || !comparer_.may_be(olds_[k], news_[i])) return;
  sources_[i] = static_cast<std::uint32_t>(k);
  is_used_[k] = true;
}

}  // namespace libsync::codec
