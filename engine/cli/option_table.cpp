#include "engine/cli/option_table.h"

namespace nsr {
namespace {

constexpr const char* common = "Common";
constexpr const char* target = "Target and final state";
constexpr const char* memory = "Memory";
constexpr const char* files = "Files, sockets and mounts";
constexpr const char* confine = "Namespaces, cgroups and security";
constexpr const char* probing = "Check";

constexpr Takes flag = Takes::nothing;
constexpr Takes value = Takes::value;
constexpr Takes maybe = Takes::optional_value;

constexpr OptionSpec table[] = {
    {"images-dir", 'D', value, false, common, "DIR", "directory of the image files (default: .)"},
    {"work-dir", 'W', value, false, common, "DIR",
     "directory of log, pidfile and statistics (default: images directory)"},
    {"log-file", 'o', value, false, common, "FILE",
     "log file, relative to the work directory; - is stdout (default: stderr)"},
    {"log-pid", 0, flag, true, common, "", "each restored task logs to FILE.<pid>"},
    {"verbosity", 'v', maybe, false, common, "N|v...",
     "1 errors, 2 warnings, 3 info, 4 debug (default: 2); each v adds one"},
    {"pidfile", 0, value, false, common, "FILE", "write the pid of the restored root or of the daemon; must not exist"},
    {"config", 0, value, false, common, "FILE", "read this configuration file instead of the default ones"},
    {"no-default-config", 0, flag, false, common, "", "do not read the default configuration files"},
    {"help", 'h', flag, false, common, "", "show this text"},
    {"version", 'V', flag, false, common, "", "show the version"},
    {"libdir", 'L', value, false, common, "DIR", "directory of plug-ins"},
    {"action-script", 0, value, false, common, "FILE", "program to run at each stage; may be repeated"},
    {"display-stats", 0, flag, true, common, "", "print statistics on stdout at the end"},
    {"status-fd", 0, value, false, common, "FD", "write a NUL byte to FD when ready for requests"},
    {"unprivileged", 0, flag, true, common, "", "run without root, with CAP_CHECKPOINT_RESTORE"},
    {"deprecated", 0, flag, true, common, "", "accept image types that are no longer written"},
    {"close", 0, value, false, common, "FD", "close this descriptor first; may be repeated"},
    {"stream", 0, flag, true, common, "", "pass images through an image streamer"},

    {"tree", 't', value, false, target, "PID", "root of the process tree to dump"},
    {"leave-running", 'R', flag, false, target, "", "let the tasks run on after the dump"},
    {"leave-stopped", 's', flag, false, target, "", "leave the tasks stopped after dump or restore"},
    {"restore-detached", 'd', flag, true, target, "", "return as soon as the tree is restored"},
    {"daemon", 0, flag, true, target, "", "same as -d for the daemons: go to the background when ready"},
    {"restore-sibling", 'S', flag, true, target, "", "make the root a child of the caller; needs -d"},
    {"exec-cmd", 0, flag, false, target, "", "after the restore run the command that follows --"},
    {"shell-job", 'j', flag, true, target, "", "the session or terminal may lie outside the tree"},
    {"timeout", 0, value, false, target, "SEC", "limit for freezing the tree, 0 for none (default: 10)"},
    {"freeze-cgroup", 0, value, false, target, "PATH", "freeze through this cgroup, which holds the whole tree"},
    {"plan", 0, flag, false, target, "", "restore: print the steps and do nothing"},

    {"track-mem", 0, flag, true, memory, "", "start tracking which pages change"},
    {"prev-images-dir", 0, value, false, memory, "DIR", "earlier images, relative to the images directory"},
    {"auto-dedup", 0, flag, true, memory, "", "punch pages out of earlier images when they are superseded"},
    {"pre-dump-mode", 0, value, false, memory, "splice|read", "how pre-dump reads pages (default: splice)"},
    {"page-server", 0, flag, true, memory, "", "send pages to, or get them from, a page server"},
    {"address", 0, value, false, memory, "ADDR", "address of the page server; of service: its socket"},
    {"port", 0, value, false, memory, "N", "TCP port of the page server"},
    {"ps-socket", 0, value, false, memory, "FD", "use this connected socket to the page server"},
    {"lazy-pages", 0, flag, false, memory, "", "bring pages in when they are touched"},
    {"tls", 0, flag, true, memory, "", "encrypt the page channel"},
    {"tls-cacert", 0, value, false, memory, "FILE", "certificate authority (default: /etc/pki/CA/cacert.pem)"},
    {"tls-cacrl", 0, value, false, memory, "FILE", "revocation list (default: /etc/pki/CA/cacrl.pem)"},
    {"tls-cert", 0, value, false, memory, "FILE", "own certificate (default: /etc/pki/criu/cert.pem)"},
    {"tls-key", 0, value, false, memory, "FILE", "own key (default: /etc/pki/criu/private/key.pem)"},
    {"tls-no-cn-verify", 0, flag, true, memory, "", "do not compare the server's name with its certificate"},

    {"root", 'r', value, false, files, "PATH", "root directory of the restored mount namespace"},
    {"external", 0, value, false, files, "RES",
     "a resource outside the tree: mnt[..] dev[..] file[..] tty[..] unix[..] net[..]"},
    {"inherit-fd", 0, value, false, files, "fd[N]:RES", "restore resource RES as descriptor N of the engine"},
    {"ext-unix-sk", 'x', maybe, false, files, "INO,...", "unix sockets may have a peer outside the tree"},
    {"tcp-established", 0, flag, true, files, "", "keep live TCP connections"},
    {"skip-in-flight", 0, flag, true, files, "", "leave half-open TCP connections out"},
    {"tcp-close", 0, flag, true, files, "", "restore TCP connections closed"},
    {"network-lock", 0, value, false, files, "METHOD",
     "hold the network by iptables, nftables or skip (default: nftables)"},
    {"link-remap", 0, flag, true, files, "", "give removed files that have other links a name again"},
    {"ghost-limit", 0, value, false, files, "SIZE",
     "largest deleted file to keep; K, M, G are understood (default: 1M, no limit in tmpfs)"},
    {"ghost-fiemap", 0, flag, true, files, "", "find holes of deleted files by FIEMAP (default: on)"},
    {"file-locks", 'l', flag, true, files, "", "keep file locks"},
    {"evasive-devices", 0, flag, true, files, "", "any path of a device will do when its own is gone"},
    {"force-irmap", 0, flag, true, files, "", "look for inotify targets by searching directories"},
    {"irmap-scan-path", 0, value, false, files, "PATH", "directory to search; may be repeated"},
    {"file-validation", 0, value, false, files, "HOW", "compare files by filesize or buildid (default), or none"},
    {"skip-file-rwx-check", 0, flag, true, files, "", "do not compare the permissions of files"},
    {"ext-mount-map", 'M', value, false, files, "KEY:VAL", "older form of --external mnt[KEY]:VAL; or auto"},
    {"enable-external-sharing", 0, flag, false, files, "", "find shared external mounts"},
    {"enable-external-masters", 0, flag, false, files, "", "accept slaves of external mounts"},
    {"skip-mnt", 0, value, false, files, "PATH", "leave this mount out; may be repeated"},
    {"enable-fs", 0, value, false, files, "NAME,...", "treat these file systems as mountable; or all"},
    {"mntns-compat-mode", 0, flag, true, files, "", "restore mounts without move_mount groups"},
    {"allow-uprobes", 0, flag, true, files, "", "permit the uprobes mapping"},

    {"join-ns", 'J', value, false, confine, "NS:PID|FILE", "enter this namespace instead of making one"},
    {"empty-ns", 0, value, false, confine, "net", "make the namespace and leave it empty"},
    {"veth-pair", 0, value, false, confine, "IN=OUT", "same as --external veth[IN]:OUT"},
    {"weak-sysctls", 0, flag, true, confine, "", "pass over sysctls that this kernel lacks"},
    {"manage-cgroups", 0, maybe, false, confine, "MODE", "ignore, none, props, soft, full or strict (default: soft)"},
    {"cgroup-root", 0, value, false, confine, "[CTL:]PATH", "move cgroup roots here"},
    {"cgroup-props", 0, value, false, confine, "YAML", "which cgroup properties to keep"},
    {"cgroup-props-file", 0, value, false, confine, "FILE", "the same from a file"},
    {"cgroup-dump-controller", 0, value, false, confine, "NAME", "keep only this controller; may be repeated"},
    {"cgroup-yard", 0, value, false, confine, "PATH", "directory that has the cgroup mounts"},
    {"lsm-profile", 0, value, false, confine, "TYPE:NAME", "security label to restore with"},
    {"lsm-mount-context", 0, value, false, confine, "CTX", "replace the SELinux context of mounts"},
    {"cpu-cap", 0, maybe, false, confine, "LIST", "cpu, fpu, ins, all or none, ^ negates: what the CPU must have"},

    {"extra", 0, flag, true, probing, "", "check also features that are good to have"},
    {"experimental", 0, flag, true, probing, "", "check also features that are tried out"},
    {"all", 0, flag, false, probing, "", "check both kinds"},
    {"feature", 0, value, false, probing, "NAME", "check only this feature"},
    {"ms", 0, flag, false, probing, "", nullptr},

    {"launcher-fd", 0, value, false, common, "FD", nullptr},
    {"terminal-fd", 0, value, false, common, "FD", nullptr},
    {"root-is-init", 0, flag, false, common, "", nullptr},
};

constexpr const char* commands_text =
    "Usage: ns-engine [options] COMMAND [options]\n"
    "\n"
    "Commands:\n"
    "  dump -t PID         write the state of a process tree into image files\n"
    "  pre-dump -t PID     write its memory only, the tasks keep running\n"
    "  restore             bring a process tree back from image files\n"
    "  check               tell whether this kernel has what is needed\n"
    "  lazy-pages          serve memory of a lazy restore\n"
    "  page-server         receive pages from another host\n"
    "  service             serve requests on a unix socket\n"
    "  swrk FD             serve requests on an inherited socket\n"
    "  dedup               free pages that later images supersede\n"
    "  cpuinfo dump|check  write or compare the features of the CPU\n"
    "  unlock              remove a network lock that a killed dump left behind\n";

std::string option_line(const OptionSpec& o) {
  std::string left = o.letter ? std::string("  -") + o.letter + ", " : "      ";
  left += "--";
  if (o.negatable) left += "[no-]";
  left += o.name;
  if (o.takes == Takes::value) left += std::string(" ") + o.metavar;
  if (o.takes == Takes::optional_value) left += std::string("[=") + o.metavar + "]";
  constexpr size_t column = 40;
  left.append(left.size() + 1 < column ? column - left.size() : 1, ' ');
  return left + o.help + "\n";
}

}  // namespace

std::span<const OptionSpec> option_table() { return table; }

const OptionSpec* find_option(std::string_view name) {
  for (const OptionSpec& o : table)
    if (name == o.name) return &o;
  return nullptr;
}

const OptionSpec* find_option(char letter) {
  for (const OptionSpec& o : table)
    if (o.letter == letter) return &o;
  return nullptr;
}

std::string usage_text() { return std::string(commands_text) + "\nns-engine -h lists all options.\n"; }

std::string help_text() {
  std::string text = commands_text;
  for (const char* group : {common, target, memory, files, confine, probing}) {
    text += std::string("\n") + group + ":\n";
    for (const OptionSpec& o : table)
      if (o.help && o.group == group) text += option_line(o);
  }
  text +=
      "\nOptions may stand before or behind the command; a unique beginning of a long option is enough.\n"
      "An optional value is given only as --option=VALUE or -oVALUE.\n"
      "\nExit status: 0 success, 1 usage, 2 state that cannot be kept, 3 target, 4 images, 5 this host lacks "
      "something,\n"
      "6 input or output, 7 timeout, 8 action script, 9 not built yet, 10 internal error.\n"
      "\nSettings are read from /etc/criu/default.conf, $HOME/.criu/default.conf, $CRIU_CONFIG_FILE and --config "
      "FILE.\n";
  return text;
}

}  // namespace nsr
