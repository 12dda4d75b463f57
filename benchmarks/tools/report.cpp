#include "report.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace libsync::tools {
namespace {

// The number after "key": from `from` on.
std::optional<double> number_after(const std::string& text, const std::string& key, std::size_t from) {
  const std::size_t found = text.find('"' + key + "\":", from);
  if (found == std::string::npos) return std::nullopt;
  return std::strtod(text.c_str() + found + key.size() + 3, nullptr);
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + '"';
}

// "1.23 GB/s", or a dash where nothing was timed.
std::string speed(double bytes_per_second) {
  if (bytes_per_second <= 0) return "-";
  char text[32];
  if (bytes_per_second >= 1e9) {
    std::snprintf(text, sizeof text, "%.2f GB/s", bytes_per_second / 1e9);
  } else {
    std::snprintf(text, sizeof text, "%.1f MB/s", bytes_per_second / 1e6);
  }
  return text;
}

}  // namespace

std::optional<FieldFigures> read_field_figures(const std::string& trace_path, std::size_t lag) {
  std::ifstream file(std::filesystem::path(trace_path).replace_extension(".json"));
  std::ostringstream content;
  content << file.rdbuf();
  const std::string text = content.str();
  const std::size_t section = text.find("\"lag" + std::to_string(lag) + "\":");
  if (section == std::string::npos) return std::nullopt;
  const auto mean = number_after(text, "field_delta_mean", section);
  const auto p99 = number_after(text, "field_delta_p99", section);
  if (!mean || !p99) return std::nullopt;
  return FieldFigures{*mean, *p99};
}

void print_heading(const Heading& heading) {
  const std::string from = heading.lag == 0 ? "nothing" : "the one " + std::to_string(heading.lag) + " before";
  std::printf("\n%s: %zu snapshots of %.0f bytes, each from %s; memcmp %s\n", heading.file.c_str(), heading.snapshots,
              heading.snapshot_bytes_mean, from.c_str(), speed(heading.memcmp_bytes_per_second).c_str());
  std::printf("  %-28s %12s %12s %9s %12s %12s  %s\n", "", "mean bytes", "p99 bytes", "of field", "encode", "apply",
              "pairs");
  if (heading.field) {
    std::printf("  %-28s %12.0f %12.0f %9s %12s %12s\n", "field delta, hand-written", heading.field->mean,
                heading.field->p99, "1", "-", "-");
  }
}

void print_row(const Heading& heading, const Measurement& row) {
  char ratio[32] = "-";
  if (heading.field && heading.field->mean > 0) {
    std::snprintf(ratio, sizeof ratio, "%.3f", row.patch_bytes_mean / heading.field->mean);
  }
  std::printf("  %-28s %12.0f %12.0f %9s %12s %12s  %zu%s%s%s\n", row.coder.c_str(), row.patch_bytes_mean,
              row.patch_bytes_p99, ratio, speed(row.encode_bytes_per_second).c_str(),
              speed(row.apply_bytes_per_second).c_str(), row.pairs,
              row.pairs < row.pairs_of_trace ? (" of " + std::to_string(row.pairs_of_trace)).c_str() : "",
              row.verified ? "" : "  WRONG RESULT", row.note.empty() ? "" : ("  (" + row.note + ")").c_str());
  std::fflush(stdout);
}

void print_json(const Heading& heading, const Measurement& row) {
  std::printf("{\"file\": %s, \"coder\": %s, \"lag\": %zu, \"pairs\": %zu, \"pairs_of_trace\": %zu, ",
              quoted(heading.file).c_str(), quoted(row.coder).c_str(), row.lag, row.pairs, row.pairs_of_trace);
  std::printf("\"snapshot_bytes_mean\": %.1f, \"patch_bytes_mean\": %.1f, \"patch_bytes_p99\": %.0f, ",
              row.snapshot_bytes_mean, row.patch_bytes_mean, row.patch_bytes_p99);
  const auto print_speed = [](const char* key, double bytes_per_second) {
    bytes_per_second > 0 ? std::printf("\"%s\": %.0f, ", key, bytes_per_second) : std::printf("\"%s\": null, ", key);
  };
  print_speed("encode_bytes_per_second", row.encode_bytes_per_second);
  print_speed("apply_bytes_per_second", row.apply_bytes_per_second);
  print_speed("memcmp_bytes_per_second", heading.memcmp_bytes_per_second);
  if (heading.field) {
    std::printf("\"field_delta_mean\": %.1f, \"field_delta_p99\": %.0f, ", heading.field->mean, heading.field->p99);
    if (heading.field->mean > 0) std::printf("\"of_field_delta\": %.4f, ", row.patch_bytes_mean / heading.field->mean);
  }
  std::printf("\"verified\": %s}\n", row.verified ? "true" : "false");
  std::fflush(stdout);
}

}  // namespace libsync::tools
