// peers.h: the coders that libsync is compared with, as far as this build and this machine have them.
#pragma once

#include <string>
#include <vector>

#include "coder.h"

namespace libsync::tools {

struct Peers {
  Coders coders;
  std::vector<std::string> missing;  // for people: what is not compared with, and why
};

Peers make_peers();

// Each in a file of its own; those whose library the build did not find are not called.
void add_zstd(Coders& coders);      // peer_zstd.cpp
void add_lz4(Coders& coders);       // peer_lz4.cpp
void add_deflate(Coders& coders);   // peer_zlib.cpp
void add_librsync(Coders& coders);  // peer_librsync.cpp
void add_programs(Peers& peers);    // peer_programs.cpp: xdelta3, bsdiff

}  // namespace libsync::tools
