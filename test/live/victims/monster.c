// The process of monster.h goes through 25 rounds of dump and restore.
// rounds: 25
// timeout: 60
// ignore: status SigPnd$|status ShdPnd$|status SigBlk$| maps$|tid \d+ state$|taskstate \d+ (signals|map|thread|timer)
#include "monster.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  monster_start();
  for (int i = 0; i < 10; i++) monster_feed();
  victim_ready();
  monster_verify();
  return victim_done();
}
