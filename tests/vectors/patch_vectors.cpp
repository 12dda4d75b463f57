// All patches; those between any bytes.
#include <string>
#include <vector>

#include "patch_vectors.h"

namespace libsync::vectors {

using test::bytes_of;
using test::Random;
using test::random_bytes;

std::vector<Object> patches(const std::string& folder) {
  Random random(2026);
  std::vector<Object> objects;
  const Bytes base = random_bytes(random, 600);
  Bytes scalar = base;
  scalar[100] ^= std::byte{1};
  scalar[400] ^= std::byte{0x80};
  Bytes inserted = base;
  const Bytes addition = random_bytes(random, 37);
  inserted.insert(inserted.begin() + 200, addition.begin(), addition.end());
  Bytes removed = base;
  removed.erase(removed.begin() + 100, removed.begin() + 148);
  Bytes swapped(base.begin() + 300, base.end());
  swapped.insert(swapped.end(), base.begin(), base.begin() + 300);
  objects.push_back(made_patch("nothing to nothing", {}, {}));
  objects.push_back(made_patch("nothing to something", {}, bytes_of("something")));
  objects.push_back(made_patch("something to nothing", bytes_of("something"), {}));
  objects.push_back(made_patch("nothing changed", base, base));
  objects.push_back(made_patch("two scalars changed", base, scalar));
  objects.push_back(made_patch("insertion", base, inserted));
  objects.push_back(made_patch("removal", base, removed));
  objects.push_back(made_patch("halves swapped", base, swapped));
  objects.push_back(made_patch("unrelated", base, random_bytes(random, 300)));
  objects.push_back(made_patch("several chunks", random_bytes(random, 3000), random_bytes(random, 2500)));

  const Bytes abc = bytes_of("abcdefgh");
  const int copy4 = 4 << 2, copy8 = 8 << 2, add1 = 1 << 2 | 1, lanes1 = 1 << 2 | 3;
  const int seek4 = 8 << 2 | 2, back1 = 1 << 2 | 2;
  objects.push_back(hand_patch("copy", abc, abc, bytes_of({copy8})));
  objects.push_back(hand_patch("seek and copy", abc, bytes_of("efgh"), bytes_of({seek4, copy4})));
  objects.push_back(hand_patch("lane plus one", abc, bytes_of("bbcd"), bytes_of({lanes1, 2})));
  objects.push_back(hand_patch("lane minus one", abc, bytes_of({0x60, 'b', 'c', 'd'}), bytes_of({lanes1, 1})));
  objects.push_back(hand_patch("largest lane difference", bytes_of({0, 0, 0, 0}), bytes_of({0, 0, 0, 0x80}),
                               bytes_of({lanes1, 0xff, 0xff, 0xff, 0xff, 0x0f})));
  objects.push_back(
      hand_patch("unaligned lanes", abc, bytes_of({'f', 'f', 'g', 'h'}), bytes_of({8 << 2 | 2, lanes1, 2})));
  const auto refused = [&](const std::string& name, std::string_view target, std::initializer_list<int> ops) {
    objects.push_back(hand_patch(name, abc, bytes_of(target), bytes_of(ops)));
  };
  refused("copy past the baseline", "abcdefghi", {9 << 2});
  refused("copy past the target", "abcdefg", {copy8});
  refused("copy after copy", "abcd", {2 << 2, 2 << 2});
  refused("add after add", "xy", {add1, 'x', add1, 'y'});
  refused("op of nothing", "abcd", {0, copy4});
  refused("add past the patch", "xy", {2 << 2 | 1, 'x'});
  refused("seek at the end", "abcd", {copy4, seek4});
  refused("seek before add", "x", {seek4, add1, 'x'});
  refused("seek before the baseline", "abcd", {back1, copy4});
  refused("seek past the baseline", "abcd", {18 << 2 | 2, copy4});
  refused("seek after seek", "abcd", {seek4, seek4, copy4});
  refused("huge seek", "abcd", {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, copy4});
  refused("varint beyond 64 bits", "abcd", {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, copy4});
  refused("varint longer than needed", "abcd", {lanes1, 0x80, 0x00});
  refused("lane beyond 32 bits", "abcd", {lanes1, 0xff, 0xff, 0xff, 0xff, 0x1f});
  refused("lanes past the baseline", "abcdefghijkl", {3 << 2 | 3, 0, 0, 0});
  refused("lanes past the target", "ab", {lanes1, 0});
  refused("no lane", "abcd", {lanes1});
  refused("target not full", "abcde", {copy4});
  refused("no ops", "abcd", {});
  refused("goes on after the end", "abcd", {copy4, add1, 'x'});
  objects.push_back(hand_patch("wrong digest", abc, bytes_of("abcx"), bytes_of({copy4})));
  objects.push_back(patch_object("no bytes", abc, {}));
  objects.push_back(patch_object("unknown kind", abc, bytes_of({4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0})));
  objects.push_back(patch_object("other baseline", abc, bytes_of({1, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0})));
  objects.push_back(
      patch_object("target above the limit", abc, bytes_of({1, 8, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0})));
  objects.push_back(patch_object("bytes that continue", abc, bytes_of({5, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 32})));
  objects.push_back(patch_object("unknown flag", abc, bytes_of({10, 0, 0, 0, 0, 0, 0, 0, 0})));
  add_structured(objects);
  add_whole(objects);
  add_chains(objects);
  add_scripts(objects, folder + "/scripts.txt");
  add_odd(objects);
  return objects;
}

}  // namespace libsync::vectors
