// replay.cpp: libsync-replay: what patches of your own snapshots cost.
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "chain.h"
#include "libsync_coder.h"
#include "measure.h"
#include "peers.h"
#include "report.h"
#include "trace_reader.h"

namespace libsync::tools {
namespace {

constexpr const char* kUsage =
    "libsync-replay [--lag N]... [--peers] [--peer-seconds S] [--passes N] [--json] [--chains DIR] FILE...\n\n"
    "Makes and applies the patch of every snapshot of a trace, compares every result byte for byte, and says how "
    "large\n"
    "and how fast. FILE: written by <libsync/trace_writer.h> or libsync-traces.\n"
    "  --lag N           each snapshot from the one N before (1 and 5); 0: from nothing, as for those who join\n"
    "  --peers           also zstd, xdelta3, bsdiff, librsync, lz4, permessage-deflate and the full snapshot\n"
    "  --peer-seconds S  per peer, trace and lag; then the rest of the pairs is left out, and the number said (10)\n"
    "  --passes N        the speed of a pair is the median of so many (7)\n"
    "  --json            one object per line\n"
    "  --chains DIR      also writes libsync's patches, each from the snapshot before, to DIR/NAME.chain\n"
    "Ends with 1 when a result differs, 2 when a file or an argument is not understood or a file not written.\n";

struct Options {
  std::vector<std::size_t> lags;
  bool peers = false;
  bool json = false;
  Effort effort;
  double peer_seconds = 10;
  std::filesystem::path chains;  // empty: none
  std::vector<std::string> files;
};

template <typename T>
bool parse(const char* text, T& value, T least = 1) {
  const std::string_view view = text == nullptr ? "" : text;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  return error == std::errc() && end == view.data() + view.size() && value >= least;
}

bool parse_arguments(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    bool good = true;
    if (argument == "--lag") {
      good = parse(argv[++i], options.lags.emplace_back(), std::size_t{0});
    } else if (argument == "--peers") {
      options.peers = true;
    } else if (argument == "--peer-seconds") {
      good = parse(argv[++i], options.peer_seconds);
    } else if (argument == "--passes") {
      good = parse(argv[++i], options.effort.passes);
    } else if (argument == "--json") {
      options.json = true;
    } else if (argument == "--chains") {
      good = ++i < argc;
      if (good) options.chains = argv[i];
    } else if (argument.starts_with("--")) {
      good = false;
    } else {
      options.files.emplace_back(argument);
    }
    if (!good) {
      std::fprintf(stderr, "libsync-replay: not understood: %s\n", std::string(argument).c_str());
      return false;
    }
  }
  if (options.lags.empty()) options.lags = {1, 5};
  return !options.files.empty();
}

// Prints one line per coder. False when a result differs from its target.
bool replay(const std::string& file, const traces::TraceReader& trace, std::size_t lag, const Options& options) {
  Heading heading;
  heading.file = file;
  heading.lag = lag;
  heading.snapshots = trace.size();
  for (std::size_t i = 0; i < trace.size(); ++i) {
    heading.snapshot_bytes_mean += static_cast<double>(trace.snapshot(i).size()) / static_cast<double>(trace.size());
  }
  heading.memcmp_bytes_per_second = memcmp_bytes_per_second(trace, options.effort.passes);
  heading.field = read_field_figures(file, lag);
  if (!options.json) print_heading(heading);
  bool verified = true;
  const auto print = [&](const Measurement& row) {
    options.json ? print_json(heading, row) : print_row(heading, row);
    verified = verified && row.verified;
  };

  print(measure(trace, lag, *make_libsync_coder(), options.effort));
  if (!options.peers) return verified;
  // Anew per trace: a stream has no past.
  const Peers peers = make_peers();
  Effort effort = options.effort;
  effort.max_seconds = options.peer_seconds;
  for (const auto& coder : peers.coders) {
    if (coder->is_stream() && lag != 1) continue;
    if (!coder->is_timed() && lag == 0) continue;  // the programs want two files
    print(measure(trace, lag, *coder, effort));
  }
  for (const std::string& missing : peers.missing) {
    std::fprintf(options.json ? stderr : stdout, "  not compared with %s\n", missing.c_str());
  }
  return verified;
}

int run(int argc, char** argv) {
  Options options;
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--help" || first == "-h") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (!parse_arguments(argc, argv, options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  int status = 0;
  for (const std::string& file : options.files) {
    const Result<traces::TraceReader> trace = traces::TraceReader::open(file);
    if (!trace) {
      std::fprintf(stderr, "libsync-replay: %s\n", trace.error().detail.c_str());
      return 2;
    }
    for (const std::size_t lag : options.lags) {
      if (trace->size() <= lag) {
        std::fprintf(stderr, "libsync-replay: %s: no two snapshots %zu apart\n", file.c_str(), lag);
      } else if (!replay(file, *trace, lag, options)) {
        status = 1;
      }
    }
    if (options.chains.empty()) continue;
    const auto chain = options.chains / std::filesystem::path(file).filename().replace_extension(".chain");
    std::error_code error;
    std::filesystem::create_directories(options.chains, error);
    if (!write_chain(*trace, chain.string())) {
      std::fprintf(stderr, "libsync-replay: cannot write %s\n", chain.c_str());
      return 2;
    }
  }
  return status;
}

}  // namespace
}  // namespace libsync::tools

int main(int argc, char** argv) { return libsync::tools::run(argc, argv); }
