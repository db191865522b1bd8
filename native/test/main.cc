// Tests of the native core, without Node: the program prints what failed and ends with a count.
#include <cstdio>

#include "check.h"

static int passed = 0, failed = 0;
void tf::check(bool ok, const char* what) {
  ok ? passed++ : failed++;
  if (!ok) printf("FAILED: %s\n", what);
}

int main(int argc, char** argv) {
  tf::update_transcripts = argc > 1 && std::string(argv[1]) == "--update";
  tf::basics();
  tf::capture_files();
  tf::links();
  tf::networks();
  tf::fragments();
  tf::streams();
  tf::engines();
  tf::lines();
  tf::transcripts();
  printf("native: %d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}
