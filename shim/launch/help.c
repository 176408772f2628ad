/* help.c - the texts of `sockshim help`. */
#include "launch/help.h"

const char help_run[] =
"Usage: sockshim run [OPTIONS] [--] PROGRAM [ARGUMENTS]\n"
"Run a program with libsockshim.so preloaded; exit as it exits.\n\n"
"  -f, --fault RULE        add a fault rule (may be repeated)\n"
"      --faults FILE       add the rules of a file (may be repeated; -: stdin)\n"
"      --seed N            seed of the rules' chances (default: a random one)\n"
"  -s, --summary[=FILE]    at the end show statistics, leaks and rules\n"
"      --format FORMAT     of the summary and the trace: text, json, openmetrics\n"
"      --fail-on-leak[=N]  exit with N (99) if sockets are open at exit\n"
"  -t, --trace[=FILE]      show every call\n"
"      --backtrace[=N]     record N (12) frames of who opens a socket\n"
"      --stack SPEC|NAME   put its sockets on a network stack of its own\n"
"      --only ADDR[/LEN][:PORT], --except ADDR[/LEN][:PORT]\n"
"                          what goes to the stack, and what to the kernel\n"
"  -w, --wait              wait for all descendants, not for PROGRAM alone\n"
"  -l, --library FILE      the library to preload\n"
"      --dir DIR           where runs are kept (else $SOCKSHIM_DIR,\n"
"                          $XDG_RUNTIME_DIR/sockshim or /tmp/sockshim-UID)\n"
"      --no-keep           remove the run's files at the end (default: --keep)\n"
"  -q, --quiet             no warnings\n\n"
"Exit status: the program's; 125 if sockshim fails before it starts, 126 if it\n"
"cannot be executed, 127 if it is not found.\n";

#define CHOICE \
"RUN is the id of a run, the pid of a process in one (then it and its\n" \
"descendants are meant), or a directory; default: the newest run.\n"

const char help_stats[] =
"Usage: sockshim stats [OPTIONS] [RUN|PID]\n"
"Show how many sockets were opened, connected, ... per kind of socket.\n\n"
"  -F, --format FORMAT     text, json or openmetrics\n"
"  -j, --json              the same as --format json\n"
"  -p, --per-process       each process on its own\n"
"  -w, --watch[=SECONDS]   again every 2 seconds, as long as the run lasts\n\n"
CHOICE;

const char help_sockets[] =
"Usage: sockshim sockets [OPTIONS] [RUN|PID]\n"
"Show the sockets that are open; of a run that has ended, those left open.\n\n"
"  -F, --format FORMAT     text, json or openmetrics\n"
"  -j, --json              the same as --format json\n"
"  -a, --all               those of processes that have ended, too\n"
"  -w, --watch[=SECONDS]   again every 2 seconds, as long as the run lasts\n\n"
CHOICE;

const char help_trace[] =
"Usage: sockshim trace [OPTIONS] [RUN|PID]\n"
"       sockshim trace [OPTIONS] -- PROGRAM [ARGUMENTS]\n"
"Show socket calls as they are made, until the run ends; of a run that has\n"
"ended, what was recorded.\n\n"
"  -e, --calls CALL,...    only these calls; !CALL,...: all but these\n"
"  -p, --pid PID           only this process (may be repeated)\n"
"  -o, --output FILE       write to a file (default: stdout; with PROGRAM:\n"
"                          stderr)\n"
"  -F, --format FORMAT     text or json (one object a line)\n"
"  -j, --json              the same as --format json\n"
"  -f, --fault RULE, --faults FILE, --seed N, -l FILE, --stack SPEC|NAME,\n"
"      --only, --except: as for sockshim run\n\n"
CHOICE;

const char help_fault[] =
"Usage: sockshim fault list [-j] [-r RUN|PID]\n"
"       sockshim fault add [-r RUN|PID] RULE...\n"
"       sockshim fault del [-r RUN|PID] NUMBER...\n"
"       sockshim fault clear [-r RUN|PID]\n"
"       sockshim fault replace [-r RUN|PID] [-n NUMBER] RULE...\n"
"List and change the fault rules of a run while it runs.\n\n"
"  -r, --run RUN|PID       which run (default: the newest)\n"
"  -F, --faults FILE       take rules from a file (may be repeated)\n"
"  -n, --number NUMBER     replace this rule; without it, all of them\n"
"  -j, --json              list as JSON\n\n"
"New rules are added at the end; the first that fires wins. Each has a number\n"
"of its own and counts from zero. A wrong rule changes nothing.\n"
"Rules are described in sockshim-rules(5).\n";

const char help_capture[] =
"Usage: sockshim capture -i INTERFACE -w FILE [OPTIONS] [EXPRESSION]\n"
"Write packets of an interface to a pcapng file, until ^C.\n\n"
"  -i, --interface NAME    the interface\n"
"  -w, --write FILE        the file (-: stdout)\n"
"  -c, --count N           end after N packets\n"
"  -s, --snaplen BYTES     keep so much of a packet (default: all)\n"
"  -B, --buffer KIB        size of the kernel's buffer (default: 8192)\n"
"  -Q, --direction DIR     only in or out (default: inout)\n"
"  -p, --no-promiscuous    only what the interface receives anyway\n"
"  -q, --quiet             do not say at the end how many there were\n\n"
"EXPRESSION chooses packets, as in pcap-filter(7): 'tcp port 80 and host ::1'.\n"
"This needs the right CAP_NET_RAW. tcpdump -r FILE shows the packets.\n";

const char help_list[] =
"Usage: sockshim list [-j]\n"
"List the runs that are kept, the newest first, and their processes.\n\n"
"  -j, --json              as JSON\n";

const char help_stack[] =
"Usage: sockshim stack up NAME SPECIFICATION\n"
"       sockshim stack down NAME...\n"
"       sockshim stack list [-j]\n"
"       sockshim stack rules [-6] [-c] NAME <RULES\n"
"       sockshim stack rules [-l] [-6] [-c] NAME\n"
"       sockshim stack connections [-6] NAME\n"
"       sockshim stack stats NAME\n"
"Start and end network stacks that programs run on (run --stack NAME).\n\n"
"  -j, --json              list as JSON\n"
"  -l, --list              print the packet filter's rules\n"
"  -6, --ipv6              those of IPv6\n"
"  -c, --counters          with the rules' counters\n\n"
"SPECIFICATION: lo; or tap=DEVICE,addr=ADDR/LEN,... see sockshim(1).\n"
"RULES are what iptables-save prints; they replace those in force. With none on\n"
"standard input those in force are printed. connections prints what is tracked.\n"
"stats prints all counters as JSON.\n";

const char help_clean[] =
"Usage: sockshim clean [-k N] [RUN...]\n"
"Remove the files of runs that have ended: of all, or of those named.\n\n"
"  -k, --keep N            keep the newest N runs\n";
