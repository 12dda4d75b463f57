// report.h: measurements as a table for people or as JSON, one object per line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "measure.h"

namespace libsync::tools {

// What a hand-written encoder would send, as libsync-traces noted it beside the trace.
struct FieldFigures {
  double mean = 0;
  double p99 = 0;
};

// From NAME.json beside NAME.fbtrace; nothing where there is none for this lag.
std::optional<FieldFigures> read_field_figures(const std::string& trace_path, std::size_t lag);

struct Heading {
  std::string file;
  std::size_t lag = 0;
  std::size_t snapshots = 0;
  double snapshot_bytes_mean = 0;
  double memcmp_bytes_per_second = 0;
  std::optional<FieldFigures> field;
};

void print_heading(const Heading& heading);
void print_row(const Heading& heading, const Measurement& row);
void print_json(const Heading& heading, const Measurement& row);

}  // namespace libsync::tools
