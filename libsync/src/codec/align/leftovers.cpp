#include "codec/align/leftovers.h"

#include <algorithm>

namespace libsync::codec {

void Leftovers::match() {
  constexpr std::size_t kMost = 64;
  if (matches_.without_source().size() > kMost || olds_.size() > kMost) return;
  match_only_ones(false);
  match_neighbours();
  match_only_ones(true);
  match_neighbours();
  match_new_vtables();
}

bool Leftovers::are_tables_left() const {
  const std::vector<std::size_t>& news = matches_.without_source();
  return std::any_of(news.begin(), news.end(),
                     [&](std::size_t i) { return is_open(i) && is_table(matches_[i].object); }) &&
         std::any_of(olds_.begin(), olds_.end(),
                     [&](const Object& old) { return old.start != kNone && is_table(old); });
}

void Leftovers::use(Object& old, std::size_t i) {
  matches_[i].source = old.start;
  matches_[i].is_in_order = false;
  old.start = kNone;
}

// What is the same as one only, or tables that may be one only.
void Leftovers::match_only_ones(bool may_differ) {
  for (const std::size_t i : matches_.without_source()) {
    if (!is_open(i)) continue;
    const Object& object = matches_[i].object;
    Object* only = nullptr;
    std::size_t n = 0;
    for (Object& old : olds_) {
      if (old.start == kNone) continue;
      const bool fits = may_differ ? is_table(old) && comparer_.may_be(old, object) : comparer_.is_same(old, object);
      if (fits) ++n, only = &old;
    }
    if (n == 1) use(*only, i);
  }
}

// What is beside something that came from elsewhere came with it.
void Leftovers::match_neighbours() {
  const std::vector<std::size_t>& news = matches_.without_source();
  for (const std::size_t i : news) {
    if (!is_open(i) || i == 0 || matches_[i - 1].is_in_order) continue;
    const std::uint32_t behind = sides_.base.starts.next(matches_[i - 1].source);
    if (behind < sides_.old_size) try_source(i, behind);
  }
  for (std::size_t k = news.size(); k-- > 0;) {
    const std::size_t i = news[k];
    if (!is_open(i) || i + 1 == matches_.size() || matches_[i + 1].is_in_order) continue;
    const std::uint32_t source = matches_[i + 1].source;
    if (source > 0) try_source(i, sides_.base.starts.begin_of(source - 1));
  }
}
void Leftovers::try_source(std::size_t i, std::uint32_t source) {
  for (Object& old : olds_) {
    if (old.start == source && comparer_.may_be(old, matches_[i].object)) use(old, i);
  }
}

// They are made of old ones, whatever these were.
void Leftovers::match_new_vtables() {
  for (const std::size_t i : matches_.without_source()) {
    const Object& object = matches_[i].object;
    if (!is_open(i) || !is_vtable(object) || comparer_.was_there(object.shape)) continue;
    const auto old = std::find_if(olds_.begin(), olds_.end(),
                                  [](const Object& each) { return each.start != kNone && is_vtable(each); });
    if (old == olds_.end()) break;
    use(*old, i);
  }
}

}  // namespace libsync::codec
