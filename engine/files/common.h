// What the kinds of this room share: fdinfo keys, open flags, names for messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/unique_fd.h"
#include "engine/descriptors/kind.h"

namespace nsr {

/// Text behind "key:" of the first fdinfo line that starts so, blanks stripped; nothing when there is none.
std::optional<std::string_view> fdinfo_value(std::string_view fdinfo, std::string_view key);
/// Whether the link reads "anon_inode:NAME".
bool is_anon_inode(const OpenFile& file, std::string_view name);

/// "file 12 (eventfd)", for messages about images.
std::string image_object(const char* kind, uint32_t id);

/// f_flags as an image has them, cut to what open(2) may be given again: nothing that creates, truncates or
/// acquires a terminal; O_ASYNC is set in the holder because it remembers the descriptor's number.
int reopen_flags(uint32_t flags);
/// file.flags, and O_CLOEXEC when the file was opened with it: F_GETFL goes on showing that, whatever became of the
/// descriptor. To be recorded for what is opened again by path.
uint32_t kept_flags(const OpenFile& file, int borrowed);
/// Takes over what a call gave that was not asked for O_CLOEXEC, which the open file would show from then on. Keeps
/// errno.
UniqueFd close_on_exec(int fd);
/// Gives a description the status flags (O_APPEND, O_NONBLOCK, O_DIRECT, O_NOATIME) that an image names.
/// Throws Error(environment) naming the object.
void set_status_flags(int fd, uint32_t flags, const std::string& object);

/// A second, independent description of what fd refers to, by way of /proc/self/fd. Throws Error(environment).
UniqueFd reopen(int fd, int flags, const std::string& object);
/// A duplicate with CLOEXEC. Throws Error(environment).
UniqueFd duplicate(int fd, const std::string& object);

/// An fown_entry that says: no owner.
pb::fown_entry no_owner();

/// Whether --external has this text (the part before a ":VALUE" of ours must match exactly).
bool is_external(const FileOptions& options, const std::string& text);
/// "file[18:5a3]": how --external and --inherit-fd name an open file, by its mount and inode (both hexadecimal).
std::string external_key(const OpenFile& file);
/// VALUE of the last --external TEXT:VALUE.
std::optional<std::string> external_value(const FileOptions& options, const std::string& text);
/// The descriptor given with --inherit-fd for a key, or -1.
int inherited(const FileOptions& options, const std::string& key);

}  // namespace nsr
