// libsync-hostile [--bytes N]: how long the decoder can be kept busy. Times apply_patch() on patches and baselines made
// to be slow, and prints nanoseconds for each byte of patch, baseline and target together; the worst last. N: about how
// many bytes of baseline or target (1000000).
//
// libsync-hostile --search SECONDS [--seed N]: looks for slower ones. See search.h.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "codec/excerpt.h"
#include "hostile_case.h"
#include "search.h"
#include "unit/small_world.h"
#include "unit/support.h"

namespace {

using namespace libsync;
using namespace libsync::hostile;

std::vector<Case> make_cases(std::uint32_t n) {
  std::vector<Case> cases;
  test::Random random(1);
  const Bytes tiny = tables_of_bytes(1, 0), noise = test::random_bytes(random, n);
  cases.push_back(moved("fresh tables of four bytes, a step each", tiny, n, repeated({3, 4, 0}, n / 4)));
  cases.push_back(moved("fresh vtables of four bytes, a step each", tiny, n, repeated({3, 1, 0}, n / 4)));
  cases.push_back(moved("raw bytes, two a step", tiny, n, repeated({8, 1, 0, 0, 0, 0}, n / 2)));
  cases.push_back(moved("raw bytes, two a step, all different", tiny, n, [&] {
    Values values;
    for (std::uint32_t i = 0; i < n / 2; ++i) {
      const Values step{8, 1, i % 16, i / 16 % 16, i / 7 % 16, i / 5 % 16};
      values.insert(values.end(), step.begin(), step.end());
    }
    return values;
  }()));
  cases.push_back(moved("splices of nothing, as many as bytes", data_of(64), n, [&] {
    Values values{5, 1, n - 100};
    values.resize(3 + 3 * std::size_t{n - 100});
    return values;
  }()));
  cases.push_back(moved("an element inserted by a splice, for each byte", data_of(64), n, [&] {
    Values values{5, 1, n - 100};
    for (std::uint32_t i = 0; i < n - 100; ++i) values.insert(values.end(), {0, 0, 1});
    return values;
  }()));
  const Bytes many = tables_of_bytes(n / 8, 0), dense = tables_of_bytes(n / 250, 240);
  cases.push_back(moved("runs of one", many, many.size(), repeated({0, 0}, n / 8)));
  cases.push_back(moved("jumps of one, far apart", many, many.size(), [&] {
    Values values;
    for (std::uint32_t i = 0; i < n / 16; ++i) values.insert(values.end(), {1, 4, 2 * (n / 8 - 1 - i), 0});
    return values;
  }()));
  cases.push_back(moved("skips of one", many, n, repeated({2, 0}, n / 8)));
  for (const std::uint32_t n_fields : {1, 8, 50}) {
    const Bytes own = tables_of_own_vtables(n / (8 + 12 + 6 * n_fields), n_fields);
    cases.push_back(in_place("a vtable of its own for each table, fields: " + std::to_string(n_fields), own, {}));
    cases.push_back(moved("the same, moved, fields: " + std::to_string(n_fields), own, own.size() + 8, {0, 0x7ffffff}));
  }
  const Bytes types = chain_of_types(n / 16);
  cases.push_back(in_place("a type for each table", types, {}));
  cases.push_back(moved("the same, moved", types, types.size() + 8, repeated({0, 0}, n / 8)));
  cases.push_back(sent("every byte of tables of bytes changed", dense, [&] {
    Bytes target = dense;
    for (std::size_t at = 28 + 4 * (n / 250) + 484; at < target.size(); ++at)
      if ((at - 28 - 4 * (n / 250) - 484) % 244 >= 4) target[at] = static_cast<std::byte>(1 + at % 255);
    return target;
  }()));
  cases.push_back(sent("noise to noise", noise, test::random_bytes(random, n)));
  cases.push_back(sent("every byte of data changed", data_of(n), [&] {
    Bytes target = data_of(n);
    for (std::size_t at = 28; at < 28 + std::size_t{n}; ++at) target[at] ^= static_cast<std::byte>(1 + at % 120);
    return target;
  }()));
  for (const std::uint32_t n_tables : {n / 4000, n / 400, n / 40}) {
    const Bytes crowded = test::crowded_layout(n_tables, std::min(n / 32, 16000u));
    cases.push_back(in_place("large tables four bytes apart: " + std::to_string(n_tables), crowded, {}));
  }
  cases.push_back(moved("raw bytes, all in one step", tiny, n, {8, n - 1}));
  cases.push_back(whole("the largest excerpt", n, codec::max_excerpt_bytes(n), {8, n - 1}));
  cases.push_back(sent("a world from nothing", {}, test::small_world(n / 100).build()));
  cases.push_back(in_place("text read over and over", test::costly_layout(3, 3, n / 2), {}));
  cases.push_back(in_place("references read over and over", test::costly_layout(60, n / 400, 8), {}));
  return cases;
}

}  // namespace

int main(int argc, char** argv) {
  const auto number_after = [&](const char* name, std::uint32_t otherwise) {
    for (int i = 1; i + 1 < argc; i += 2) {
      if (std::string(argv[i]) == name) return static_cast<std::uint32_t>(std::strtoul(argv[i + 1], nullptr, 10));
    }
    return otherwise;
  };
  const bool is_search = argc > 1 && std::string(argv[1]) == "--search";
  const std::uint32_t n = number_after("--bytes", 1'000'000);
  if (is_search && argc % 2 == 1) {
    search(number_after("--search", 60), number_after("--seed", 1));
    return 0;
  }
  if (is_search || (argc != 1 && argc != 3) || n < 1000) {
    std::fprintf(stderr, "usage: %s [--bytes N], N at least 1000\n       %s --search SECONDS [--seed N]\n", argv[0],
                 argv[0]);
    return 2;
  }
  std::printf("%-56s %10s %10s %10s %9s\n", "", "baseline", "target", "patch", "ns/byte");
  std::string worst_name;
  double worst = 0;
  for (const Case& each : make_cases(n)) {
    const auto n_bytes = static_cast<double>(each.baseline.size() + each.target_size + each.patch.size());
    const double per_byte = time_of(each, 5) / n_bytes;
    std::printf("%-56s %10zu %10zu %10zu %9.1f\n", each.name.c_str(), each.baseline.size(), each.target_size,
                each.patch.size(), per_byte);
    if (per_byte > worst) worst = per_byte, worst_name = each.name;
  }
  std::printf("worst: %.1f ns/byte: %s\n", worst, worst_name.c_str());
  return 0;
}
