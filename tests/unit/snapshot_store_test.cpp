#include "libsync/snapshot_store.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "unit/support.h"

namespace libsync {
namespace {

using test::pick;
using test::Random;

SnapshotPtr filled(std::size_t size) { return Snapshot::copy_of(Bytes(size)); }

}  // namespace

TEST_CASE("SnapshotStore: keeps the last versions within count and bytes, and always the latest") {
  Limits limits;
  limits.max_history_versions = 3;
  limits.max_history_bytes = 50'000;
  SnapshotStore store(limits);
  CHECK(store.latest() == nullptr);
  CHECK(store.memory_bytes() == 0);
  for (std::uint64_t version = 1; version <= 5; ++version) store.push(Version{version}, filled(10'000));
  CHECK(store.size() == 3);
  CHECK(store.find(Version{2}) == nullptr);
  CHECK(store.find(Version{3}) != nullptr);
  CHECK(store.memory_bytes() > 30'000);
  store.push(Version{9}, filled(35'000));
  CHECK(store.size() == 2);
  CHECK(store.memory_bytes() <= 50'000);
  CHECK(store.find(Version{8}) == nullptr);
  CHECK(store.find(Version{5}) != nullptr);
  store.push(Version{10}, filled(100'000));
  CHECK(store.size() == 1);
  CHECK(store.latest_version().value == 10);
  CHECK(store.find(Version{10}) == store.latest());
  store.clear();
  CHECK(store.find(Version{10}) == nullptr);
  CHECK(store.latest_version().value == 0);
}

TEST_CASE("SnapshotStore: what is older than the bound goes with the next version") {
  Limits limits;
  limits.max_history_age = std::chrono::seconds(10);
  SnapshotStore store(limits);
  const TimePoint start(std::chrono::seconds(1000));
  for (int i = 0; i < 30; ++i)
    store.push(Version{1u + static_cast<std::uint64_t>(i)}, filled(10), nullptr, start + std::chrono::seconds(i));
  CHECK(store.size() == 11);
  CHECK(store.find(Version{20}) != nullptr);
  CHECK(store.find(Version{19}) == nullptr);
  // What another process saved has no age: it waits for the other bounds.
  SnapshotStore restored(limits);
  restored.push(Version{1}, filled(10));
  restored.push(Version{2}, filled(10), nullptr, start);
  CHECK(restored.find(Version{1}) != nullptr);
}

TEST_CASE("SnapshotStore: versions that are not whole any more come back byte for byte") {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Limits limits;
    limits.max_whole_history_bytes = pick(random, 0, 40'000);
    limits.max_history_versions = 40;
    SnapshotStore store(limits);
    std::map<std::uint64_t, Bytes> all;
    Bytes state = test::random_bytes(random, pick(random, 1, 9000));
    for (std::uint64_t version = 1; version <= 60; ++version) {
      const SnapshotPtr before = store.latest();
      // Mostly a few bytes; sometimes all of them, or another size.
      const std::uint64_t what = pick(random, 0, 11);
      if (what == 0) {
        state = test::random_bytes(random, state.size());
      } else if (what == 1) {
        state.resize(pick(random, 1, 9000));
      } else {
        for (std::uint64_t n = pick(random, 1, 12); n > 0; --n)
          state[pick(random, 0, state.size() - 1)] = static_cast<std::byte>(random());
      }
      // With and without the list of what changed.
      const SnapshotPtr next = Snapshot::take(state, pick(random, 0, 1) == 0 ? nullptr : before.get());
      store.push(Version{version}, next, before != nullptr ? StepBack::between(*next, *before) : nullptr);
      all[version] = state;
      for (const auto& [wanted, bytes] : all) {
        const SnapshotPtr found = store.find(Version{wanted});
        CHECK((found != nullptr) == (wanted + 40 > version));
        CHECK(store.find_digest(Version{wanted}).has_value() == (found != nullptr));
        if (found == nullptr) continue;
        CHECK(*store.find_digest(Version{wanted}) == found->digest());
        CHECK(std::ranges::equal(found->bytes(), bytes));
        CHECK(found->digest() == digest_of(bytes));
      }
    }
  }
}

TEST_CASE("SnapshotStore: a hundred versions that change a little cost little more than one") {
  Limits limits;
  limits.max_history_versions = 100;
  SnapshotStore store(limits);
  Random random(1);
  Bytes state = test::random_bytes(random, 6 << 20);
  SnapshotPtr before;
  for (std::uint64_t version = 1; version <= 130; ++version) {
    for (int n = 0; n < 200; ++n) state[pick(random, 0, state.size() - 1)] ^= std::byte{1};
    const SnapshotPtr next = Snapshot::take(state, before.get());
    store.push(Version{version}, next, before != nullptr ? StepBack::between(*next, *before) : nullptr);
    before = next;
  }
  CHECK(store.size() == 100);
  CHECK(store.memory_bytes() < state.size() * 5 / 4);
}

TEST_CASE("StepBack: is not kept where it would be large, and not made between other sizes") {
  Random random(2);
  const Bytes one = test::random_bytes(random, 5000), two = test::random_bytes(random, 5000);
  CHECK(StepBack::between(*Snapshot::copy_of(one), *Snapshot::copy_of(two)) == nullptr);
  CHECK(StepBack::between(*Snapshot::copy_of(one), *filled(4999)) == nullptr);
  CHECK(StepBack::between(*Snapshot::empty(), *Snapshot::empty()) == nullptr);
  const auto same = StepBack::between(*Snapshot::copy_of(one), *Snapshot::copy_of(one));
  REQUIRE(same != nullptr);
  CHECK(same->memory_bytes() < 200);
}

}  // namespace libsync
