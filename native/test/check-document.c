// Reads documents from standard input, each after its length in 4 bytes, most significant first, and prints for each the
// path of the member that it is refused by and why, or `accepted` and the descriptors that stay open.
#include <stdio.h>
#include <stdlib.h>

#include "../launcher/krun/document.h"

int main(void) {
  unsigned char head[4];
  while (fread(head, 1, sizeof head, stdin) == sizeof head) {
    const size_t length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    // Exactly as large as the document, so that one byte read beyond it is seen.
    char *bytes = malloc(length == 0 ? 1 : length);
    if (bytes == NULL || fread(bytes, 1, length, stdin) != length) return 1;
    static struct document document;
    struct document_error error;
    if (document_parse(&document, bytes, length, &error)) {
      printf("accepted");
      for (size_t index = 0; index < document.descriptor_count; ++index) printf(" %d", document.descriptors[index]);
      printf("\n");
    } else {
      printf("refused %s\t%s\n", error.pointer, error.message);
    }
    document_free(&document);
    free(bytes);
  }
  return 0;
}
