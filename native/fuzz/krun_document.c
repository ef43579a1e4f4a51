// Gives the parser of launcher documents any bytes. What it accepts has to be within the bounds that the rest relies on.
// Sources: ../launcher/krun/document.c ../launcher/krun/json.c
#include <stdlib.h>
#include <string.h>

#include "../launcher/krun/document.h"

static void require(int holds) {
  if (!holds) abort();
}

static void check(const struct document *document) {
  require(document->machine.vcpus > 0 && document->machine.memory_mib >= 16);
  require(document->disk_count <= MAX_DISKS && document->share_count <= MAX_SHARES);
  require(document->tcp_port_count <= MAX_TCP_PORTS && document->vsock_port_count <= MAX_VSOCK_PORTS);
  require(!document->has_network || !document->has_tsi);
  require(document->library != NULL && document->console != NULL && strlen(document->kernel.command_line) <= 2047);
  for (size_t index = 0; index < document->disk_count; ++index) {
    require(strlen(document->disks[index].id) <= 20 && document->disks[index].path[0] != '\0');
  }
  for (size_t index = 1; index < document->descriptor_count; ++index) {
    require(document->descriptors[index - 1] < document->descriptors[index]);
  }
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length) {
  static struct document document;
  struct document_error error;
  if (document_parse(&document, (const char *)bytes, length, &error)) {
    check(&document);
  } else {
    require(error.message[0] != '\0' && (error.pointer[0] == '\0' || error.pointer[0] == '/'));
  }
  document_free(&document);
  return 0;
}
