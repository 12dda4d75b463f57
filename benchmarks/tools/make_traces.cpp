// make_traces.cpp: libsync-traces: writes the named workloads as trace files, with what a hand-written encoder needs.
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "libsync/trace_writer.h"
#include "statistics.h"
#include "trace.h"

namespace libsync::tools {
namespace {

constexpr const char* kUsage =
    "libsync-traces [--seed N] [--snapshots N] [--out DIR] [NAME...]\n\n"
    "Writes NAME.fbtrace and NAME.json for each workload, by default for all of them.\n"
    "  --seed N       another history of the same game (1)\n"
    "  --snapshots N  how many (100; 25 for e and e2)\n"
    "  --out DIR      where, made if missing (.)\n"
    "  --list         the names\n";

struct Options {
  std::uint64_t seed = traces::kDefaultSeed;
  std::uint32_t snapshots = 0;
  std::filesystem::path out = ".";
  std::vector<const traces::WorkloadInfo*> workloads;
};

// Field deltas at one lag.
struct Deltas {
  std::vector<double> bytes, differing_bytes;

  void add(const traces::FieldDelta& delta) {
    bytes.push_back(static_cast<double>(delta.bytes));
    differing_bytes.push_back(static_cast<double>(delta.differing_bytes));
  }
};

void print_deltas(std::FILE* file, const char* name, const Deltas& deltas) {
  std::fprintf(file,
               ",\n  \"%s\": {\"field_delta_mean\": %.1f, \"field_delta_p99\": %.0f, \"differing_bytes_mean\": %.1f, "
               "\"differing_bytes_p99\": %.0f}",
               name, mean(deltas.bytes), percentile(deltas.bytes, 0.99), mean(deltas.differing_bytes),
               percentile(deltas.differing_bytes, 0.99));
}

bool make_trace(const traces::WorkloadInfo& info, const Options& options) {
  const std::filesystem::path base = options.out / info.name;
  TraceWriter writer(base.string() + ".fbtrace");
  traces::Trace trace(info, options.seed, options.snapshots);
  Deltas lag1, lag5;
  while (trace.next()) {
    if (!writer.write(trace.snapshot().data(), trace.snapshot().size())) break;
    if (const auto delta = trace.delta(1)) lag1.add(*delta);
    if (const auto delta = trace.delta(5)) lag5.add(*delta);
  }
  const double snapshot_mean = static_cast<double>(writer.file_bytes() - 16) / std::max(1u, writer.count()) - 4;
  if (!writer.close()) {
    std::fprintf(stderr, "libsync-traces: %s\n", writer.error().c_str());
    return false;
  }
  const std::string json_path = base.string() + ".json";
  std::FILE* json = std::fopen(json_path.c_str(), "w");
  if (json == nullptr) {
    std::fprintf(stderr, "libsync-traces: cannot create %s\n", json_path.c_str());
    return false;
  }
  std::fprintf(json, "{\n  \"name\": \"%s\",\n  \"title\": \"%s\",\n  \"seed\": %llu,\n  \"snapshots\": %u,\n",
               std::string(info.name).c_str(), std::string(info.title).c_str(),
               static_cast<unsigned long long>(options.seed), writer.count());
  std::fprintf(json, "  \"snapshot_bytes_mean\": %.1f", snapshot_mean);
  print_deltas(json, "lag1", lag1);
  print_deltas(json, "lag5", lag5);
  std::fprintf(json, "\n}\n");
  if (std::fclose(json) != 0) return false;
  std::printf("%-3s %-17s %9.0f bytes, field delta %8.0f (differing %8.0f), five old %8.0f (%8.0f)\n",
              std::string(info.name).c_str(), std::string(info.title).c_str(), snapshot_mean, mean(lag1.bytes),
              mean(lag1.differing_bytes), mean(lag5.bytes), mean(lag5.differing_bytes));
  return true;
}

template <typename T>
bool parse(const char* text, T& value) {
  const std::string_view view = text == nullptr ? "" : text;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  return error == std::errc() && end == view.data() + view.size();
}

// False: `options` are not to be used, and the reason was printed.
bool parse_arguments(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    bool good = true;
    if (argument == "--seed") {
      good = parse(argv[++i], options.seed);
    } else if (argument == "--snapshots") {
      good = parse(argv[++i], options.snapshots) && options.snapshots > 0;
    } else if (argument == "--out") {
      good = ++i < argc;
      if (good) options.out = argv[i];
    } else {
      options.workloads.push_back(traces::find_workload(argument));
      good = options.workloads.back() != nullptr;
    }
    if (!good) {
      std::fprintf(stderr, "libsync-traces: not understood: %s\n%s", std::string(argument).c_str(), kUsage);
      return false;
    }
  }
  if (options.workloads.empty()) {
    for (const traces::WorkloadInfo& info : traces::workloads()) options.workloads.push_back(&info);
  }
  return true;
}

int run(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--help" || first == "-h") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (first == "--list") {
    for (const traces::WorkloadInfo& info : traces::workloads()) {
      std::printf("%s\t%s\n", std::string(info.name).c_str(), std::string(info.title).c_str());
    }
    return 0;
  }
  Options options;
  if (!parse_arguments(argc, argv, options)) return 2;
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  for (const traces::WorkloadInfo* info : options.workloads) {
    if (!make_trace(*info, options)) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace libsync::tools

int main(int argc, char** argv) { return libsync::tools::run(argc, argv); }
