// Laying both buffers side by side at the edges: what comes first, what comes last, and what no builder writes.
#include "codec/aligner.h"

#include <doctest/doctest.h>
#include <flatbuffers/flatbuffers.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "libsync/patch.h"
#include "unit/odd_layouts.h"
#include "unit/small_world.h"

namespace libsync {
namespace {

using codec::kNone;
using codec::Match;
using codec::Matches;
using codec::Structure;

// Bytes that end where memory does: whoever reads on ends the program.
class AtTheEnd {
 public:
  explicit AtTheEnd(std::size_t max_size) : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    size_ = (max_size + page_ - 1) / page_ * page_;
    void* begin = mmap(nullptr, size_ + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(begin != MAP_FAILED);
    begin_ = static_cast<std::byte*>(begin);
    REQUIRE(mprotect(begin_ + size_, page_, PROT_NONE) == 0);
  }
  ~AtTheEnd() { munmap(begin_, size_ + page_); }
  AtTheEnd(const AtTheEnd&) = delete;
  AtTheEnd& operator=(const AtTheEnd&) = delete;

  BytesView hold(BytesView bytes) {
    std::byte* const at = begin_ + size_ - bytes.size();
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    return {at, bytes.size()};
  }

 private:
  std::size_t page_, size_ = 0;
  std::byte* begin_ = nullptr;
};

// The matches cover the target without gaps, and each source is an object of the baseline, a run's as many as it says.
void check_cover(const Structure& base, const Matches& matches, std::size_t target_size) {
  std::uint32_t end = 0;
  for (const Match& match : matches.list) {
    REQUIRE(match.object.start == end);
    REQUIRE(match.object.end > end);
    end = match.object.end;
    if (match.source == kNone) continue;
    REQUIRE(match.source < base.size_bytes);
    const codec::Object source = base.object(match.source);
    CHECK(source.start == match.source);
    CHECK(source.type == match.object.type);
    if (match.n_objects == 1) continue;
    const std::uint32_t last = match.source + match.object.size() - 1;
    REQUIRE(last < base.size_bytes);
    CHECK(base.object(last).end == last + 1);
    CHECK(base.starts.index_of(last) - base.starts.index_of(match.source) + 1 == match.n_objects);
  }
  CHECK(end == target_size);
}
const Match* match_at(const Matches& matches, std::uint32_t start) {
  const auto is_there = [&](const Match& match) { return match.object.start == start; };
  const auto found = std::find_if(matches.list.begin(), matches.list.end(), is_there);
  return found == matches.list.end() ? nullptr : &*found;
}

void check_sent(const Bytes& baseline, const Bytes& target) {
  const SnapshotPtr held = Snapshot::copy_of(baseline);
  Bytes patch;
  make_patch(*held, *Snapshot::copy_of(target), patch);
  const Result<SnapshotPtr> applied = apply_patch(*held, patch, Limits{});
  REQUIRE(applied.has_value());
  CHECK(std::ranges::equal((*applied)->bytes(), target));
}

// Tables of three numbers, and what is needed to find them: a table at each of `starts`.
constexpr std::uint32_t kFar = 0x7f000000;  // no reference, whatever is added to it
void number_table(test::Layout& out, std::uint32_t at, std::uint32_t vtable, std::uint32_t first) {
  out.table(at, vtable);
  for (std::uint32_t i = 0; i < 3; ++i) out.u32(at + 4 + 4 * i, kFar + first + i);
}

}  // namespace

TEST_CASE("aligner: reads nothing behind a target, wherever that ends") {
  const Bytes baseline = test::small_world(8).build();
  const Structure base = codec::find_structure(baseline);
  int n_cut_vtables = 0;  // of which one byte is left, so that the next multiple of 4 is behind the target
  AtTheEnd place(baseline.size());
  for (std::size_t size = 1; size <= baseline.size(); ++size) {
    CAPTURE(size);
    Bytes target(baseline.begin(), baseline.begin() + static_cast<std::ptrdiff_t>(size));
    for (const bool is_zero_last : {false, true}) {
      if (is_zero_last) target.back() = std::byte{0};
      const std::optional<Matches> matches = codec::align(base, baseline, place.hold(target));
      if (matches) check_cover(base, *matches, size);
    }
    const codec::Object last = base.object(static_cast<std::uint32_t>(size - 1));
    n_cut_vtables += last.type == 1 && last.start == size - 1 && size % 4 == 3 ? 1 : 0;
  }
  CHECK(n_cut_vtables > 0);
}

TEST_CASE("aligner: goes back to the very start of a target that lacks the first objects") {
  constexpr std::uint32_t kRoot = 16, kVector = 28, kTables = 44, kTableBytes = 32, kVTable = kTables + 3 * kTableBytes;
  constexpr std::uint32_t kRootVTable = kVTable + 20;
  test::Layout out(kRootVTable + 8);
  out.refer(0, kRoot);
  out.table(kRoot, kRootVTable);
  out.refer(kRoot + 4, kVector);
  out.u32(kRoot + 8, kFar);
  out.references(kVector, {kTables, kTables + kTableBytes, kTables + 2 * kTableBytes});
  for (std::uint32_t i = 0; i < 3; ++i) {
    out.table(kTables + kTableBytes * i, kVTable);
    for (std::uint32_t at = 4; at < kTableBytes; at += 4) out.u32(kTables + kTableBytes * i + at, kFar + 100 * i + at);
  }
  // Without all before the tables there seems to be a root where it was, changed, but nothing that follows it.
  out.u32(kTables + kRoot, kRoot - (kRootVTable - kTables));
  out.vtable(kVTable, kTableBytes, {4, 8, 12, 16, 20, 24, 28});
  out.vtable(kRootVTable, 12, {4, 8});
  const Bytes baseline = out.bytes;
  const Structure base = codec::find_structure(baseline);
  REQUIRE(base.is_flatbuffer);
  REQUIRE(base.object(0).end == kRoot);
  REQUIRE(base.object(kRoot).end == kVector);

  const Bytes target(baseline.begin() + kTables, baseline.end());
  const std::optional<Matches> matches = codec::align(base, baseline, target);
  REQUIRE(matches.has_value());
  check_cover(base, *matches, target.size());
  REQUIRE(matches->list.front().source == kTables);
  CHECK(matches->list.front().n_objects == 3);
  check_sent(baseline, target);
}

TEST_CASE("aligner: what comes in the padding of the last object of a run is not that of one that is gone") {
  constexpr std::uint32_t kRoot = 12, kVTable = 24, kVector = 36, kOtherVTable = 56, kFirst = 64, kSecond = 80;
  constexpr std::uint32_t kGone = 96, kCut = 112, kOther = 120;
  const auto lay_out_head = [&](test::Layout& out) {
    out.refer(0, kRoot);
    out.vtable(4, 12, {4, 8});
    out.table(kRoot, 4);
    out.refer(kRoot + 4, kVector);
    out.vtable(kVTable, 14, {4, 8, 12});
    out.vtable(kOtherVTable, 12, {4, 8});
    for (const std::uint32_t at : {kFirst, kSecond}) {
      number_table(out, at, kVTable, 1000 * at);
      out.u16(at + 14, 0);
    }
  };
  const auto other_table = [&](test::Layout& out, std::uint32_t at) {
    out.table(at, kOtherVTable);
    out.u32(at + 4, kFar + 7);
    out.u32(at + 8, kFar + 9);
  };
  test::Layout from(kOther + 12);
  lay_out_head(from);
  from.refer(kRoot + 8, kOther);
  from.references(kVector, {kFirst, kSecond, kGone, kCut});
  number_table(from, kGone, kVTable, 77);
  from.u16(kGone + 14, 0);
  from.table(kCut, kVTable);  // up to where the other one begins, and on
  other_table(from, kOther);
  const Structure base = codec::find_structure(from.bytes);
  REQUIRE(base.is_flatbuffer);
  REQUIRE(base.object(kCut).end == kOther);
  REQUIRE(base.object(kSecond).size() == 16);

  // Just behind the second one there is the cut one again, if one looks at its numbers; but a vtable begins two bytes
  // before it, and behind that is a table which has it.
  constexpr std::uint32_t kCutNow = kGone, kNewVTable = kCutNow - 2, kNew = kCutNow + 16;
  constexpr std::uint32_t kNewBytes = kCutNow - kVTable, kOtherNow = kNew + kNewBytes;
  test::Layout to(kOtherNow + 12);
  lay_out_head(to);
  to.refer(kRoot + 8, kOtherNow);
  to.references(kVector, {kFirst, kSecond, kNew, kNew});
  to.u16(kNewVTable, 12);
  to.table(kCutNow, kVTable);                                   // the size of such tables is kNewBytes
  to.u32(kCutNow + 8, codec::load32(&from.bytes[kCut + 8]));    // one field, the others are absent
  to.u16(kCutNow + 12, codec::load16(&from.bytes[kCut + 12]));  // behind the vtable
  to.table(kNew, kNewVTable);
  other_table(to, kOtherNow);

  const std::optional<Matches> matches = codec::align(base, from.bytes, to.bytes);
  REQUIRE(matches.has_value());
  check_cover(base, *matches, to.bytes.size());
  const Match* const second = match_at(*matches, kSecond);
  REQUIRE(second != nullptr);
  CHECK(second->source == kSecond);
  CHECK(second->object.end == kNewVTable);
  const Match* const grown = match_at(*matches, kNew);
  REQUIRE(grown != nullptr);
  CHECK(grown->source == kCut);
  check_sent(from.bytes, to.bytes);
}

// Tables of ten numbers.
Bytes build_tens(const std::vector<std::array<std::uint32_t, 10>>& rows) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<flatbuffers::Table>> tables;
  for (const auto& row : rows) {
    const auto start = builder.StartTable();
    for (std::size_t i = 0; i < 10; ++i)
      builder.AddElement<std::uint32_t>(static_cast<flatbuffers::voffset_t>(4 + 2 * i), row[i], 0xffffffff);
    tables.emplace_back(builder.EndTable(start));
  }
  const auto vector = builder.CreateVector(tables);
  const auto start = builder.StartTable();
  builder.AddOffset(4, vector);
  builder.Finish(flatbuffers::Offset<flatbuffers::Table>(builder.EndTable(start)));
  const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return Bytes(begin, begin + builder.GetSize());
}

TEST_CASE("align: where every table changes, what came and what went is seen all the same") {
  constexpr std::size_t kTables = 1200;
  test::Random random(3);
  std::vector<std::array<std::uint32_t, 10>> before(kTables);
  for (auto& row : before)
    for (std::uint32_t& value : row) value = static_cast<std::uint32_t>(random());
  for (std::size_t n_changed = 1; n_changed <= 7; ++n_changed) {
    for (const bool is_more : {false, true}) {
      CAPTURE(n_changed);
      CAPTURE(is_more);
      auto after = before;
      for (auto& row : after)
        for (std::size_t i = 0; i < n_changed; ++i) row[i] = static_cast<std::uint32_t>(random());
      if (is_more) {
        after.insert(after.begin() + 700, before[3]);
        after[700][9] = 12345;
      } else {
        after.erase(after.begin() + 700);
      }
      const SnapshotPtr held = Snapshot::copy_of(build_tens(before)), target = Snapshot::copy_of(build_tens(after));
      const std::optional<Matches> matches = codec::align(*held->structure(), held->bytes(), target->bytes());
      REQUIRE(matches.has_value());
      check_cover(*held->structure(), *matches, target->size_bytes());
      Bytes patch;
      make_patch(*held, *target, patch);
      CHECK(patch.size() < 4 * n_changed * kTables * 51 / 50 + 200);
    }
  }
}

}  // namespace libsync
