// Modes, locks and size of a terminal, as tty-info.img has them (ioctl_tty(2)).
#pragma once

#include "tty.pb.h"

namespace nsr {

/// What the terminal says. One that was hung up answers EIO to everything: it has no settings any more, and info stays
/// without them.
void put_terminal_settings(int fd, bool master, pb::tty_info_entry& info);

/// Modes, locked modes and size; what info lacks is left alone. False when one of them could not be set. A caller in
/// the background is not stopped by it.
[[nodiscard]] bool apply_terminal_settings(int fd, const pb::tty_info_entry& info);

}  // namespace nsr
