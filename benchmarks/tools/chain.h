// chain.h: the patches of a trace, one after the other, as a file for programs that have the decoder only.
//
// File: u32 number of patches; then u32 length and bytes of the first snapshot, then of each patch, each made for the
// result of the one before; little-endian.
#pragma once

#include <string>

#include "trace_reader.h"

namespace libsync::tools {

// Replaces the file. False: a patch could not be made or the file not be written.
bool write_chain(const traces::TraceReader& trace, const std::string& path);

}  // namespace libsync::tools
