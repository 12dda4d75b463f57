#include "codec/align/divider.h"

#include <algorithm>

namespace libsync::codec {

bool Divider::divide(std::uint32_t begin, std::uint32_t end, const std::vector<Object>& olds,
                     std::vector<Object>& news) {
  if (begin == end) return true;
  begin_ = begin;
  end_ = end;
  next_old_ = 0;
  find_claims();
  std::uint32_t at = begin;
  for (const Claim& claim : claims_) {
    if (!fill(at, claim.start, olds, news) || claim.core > end - claim.start) return false;
    at = claim.start + claim.core;
    news.push_back({claim.start, at, claim.type, claim.shape});
  }
  if (!fill(at, end, olds, news) || news.empty() || news.front().start != begin) return false;
  for (std::size_t i = 0; i + 1 < news.size(); ++i) news[i].end = news[i + 1].start;
  news.back().end = end;
  return true;
}

// By their starts, each once.
void Divider::find_claims() {
  claims_.clear();
  for (std::uint32_t at = (begin_ + 3) / 4 * 4; at < end_; at += 4) {
    const std::uint32_t shape = vtables_.shape_of(at);
    if (shape != kNone) claims_.push_back({at, vtables_.shape(shape).table_size, vtables_.shape(shape).type, shape});
  }
  for (std::size_t i = claims_.size(); i-- > 0;) claim_children(claims_[i]);
  for (const auto& [position, shape] : vtables_.met()) {
    if (position >= begin_ && position < end_) claims_.push_back({position, vtables_.shape(shape).size, 1, shape});
  }
  const auto is_before = [](const Claim& a, const Claim& b) { return a.start < b.start; };
  const auto is_equal = [](const Claim& a, const Claim& b) { return a.start == b.start && a.type == b.type; };
  std::sort(claims_.begin(), claims_.end(), is_before);
  claims_.erase(std::unique(claims_.begin(), claims_.end(), is_equal), claims_.end());
}

// The strings and vectors that a table refers to, and the strings of these. The claim is a copy, as there will be more.
void Divider::claim_children(const Claim table) {
  const auto referred = [&](std::uint32_t at) { return std::uint64_t{at} + load32(sides_.new_bytes + at); };
  for (const auto& [offset, type] : comparer_.lanes_of(table.shape).references) {
    const std::uint64_t start = referred(table.start + offset);
    const std::uint32_t core = claim(type, start);
    const std::uint32_t element = sides_.types()[type].element;
    if (core == 0 || element == kNone || sides_.types()[element].kind != Kind::kText) continue;
    for (std::uint32_t i = 4; i < core; i += 4) claim(element, referred(static_cast<std::uint32_t>(start) + i));
  }
}

// Bytes that it needs; 0: it is elsewhere, or none.
std::uint32_t Divider::claim(std::uint32_t type, std::uint64_t start) {
  if (start < begin_ || start >= end_ || start % 4 != 0) return 0;
  const auto at = static_cast<std::uint32_t>(start);
  const std::uint32_t core = reader_.core_of(type, at, end_);
  if (core != 0) claims_.push_back({at, core, type, kNone});
  return core;
}

// Bytes between two claims: padding, or what olds were, in their order. False: neither.
bool Divider::fill(std::uint32_t at, std::uint32_t end, const std::vector<Object>& olds, std::vector<Object>& news) {
  if (at > end) return false;
  // What comes first is no padding: that would be of the object before.
  while (news.empty() ? at < end : !reader_.is_padding(at, end)) {
    if ((at + 3) / 4 * 4 > end) return false;
    Object found;
    if (!find_like_old(at, end, olds, found) && !find_vtable(at, end, found)) return false;
    news.push_back(found);
    at = found.end;
  }
  return true;
}

// An object like the next of `olds` of which there can be one.
bool Divider::find_like_old(std::uint32_t at, std::uint32_t end, const std::vector<Object>& olds, Object& found) {
  for (std::size_t n_tries = olds.size(); n_tries > 0; --n_tries) {
    if (next_old_ == olds.size()) next_old_ = 0;
    found = olds[next_old_++];
    if (found.start == 0 || is_table(found)) continue;
    found.start = is_vtable(found) ? at : (at + 3) / 4 * 4;
    const std::uint32_t core = reader_.core_like(found, end);
    found.end = found.start + core;
    if (core != 0) return true;
  }
  return false;
}

// The vtable of the table that follows, if no other has it.
bool Divider::find_vtable(std::uint32_t at, std::uint32_t end, Object& found) const {
  const std::uint32_t shape = vtables_.at(at);
  if (shape == kNone || vtables_.shape(shape).size > end - at) return false;
  found = {at, at + vtables_.shape(shape).size, 1, shape};
  return true;
}

}  // namespace libsync::codec
