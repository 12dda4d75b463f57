// session.h: the protocol of one connection, both ends, without I/O. docs/PROTOCOL.md has the states and timers.
//
// The shell feeds a session with handle_frame(now, message), handle_timeout(now) and the application verbs, then calls
// poll_output(now) until it returns a Deadline. It asks for output only while its socket can take more: state is made
// at that moment, from what the peer holds to what is true now, and never queued.
#pragma once

#include "libsync/client_session.h"
#include "libsync/server_session.h"
