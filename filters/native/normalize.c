/* A text as the language models see it (filters.commoncrawl.normalize), character by character: what becomes of each is in a
   table that the caller fills as characters come up. */

#include "native.h"

#define TABLE 0x20000          /* characters from here on are the caller's */
#define UNKNOWN 0u
#define CALLERS 1u             /* what becomes of it depends on its neighbours */
#define SELF 2u                /* it stays */

/* Normalises a text of UTF-8, surrogates included.

   ascii: what becomes of each of the first 128, or 0 where it goes and is not zero. gone: whether it goes. table: for the
   others UNKNOWN, CALLERS, SELF, or where in results what becomes of it begins (times 256), and its bytes. out: room bytes.
   done: how many bytes of the text are done, and how many there are of out; it goes on from there.
   Returns 0, -1 where the caller must do it, or a character that is not in the table, before which it stopped. */
int64_t normalize_text(const uint8_t *text, int64_t size, const uint8_t *ascii, const uint8_t *gone, const uint32_t *table,
                       const uint8_t *results, uint8_t *out, int64_t room, int64_t *done) {
    int64_t at = done[0], n = done[1];
    while (at < size) {
        uint8_t first = text[at];
        if (first < 0x80) {
            if (n == room) return -1;
            out[n] = ascii[first];
            n += !gone[first];
            at++;
            continue;
        }
        int64_t width = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        if (width > size - at) return -1;
        uint32_t c = first & (0x7F >> width);
        for (int64_t i = 1; i < width; i++) c = c << 6 | (text[at + i] & 0x3F);
        if (c >= TABLE) return -1;
        uint32_t entry = table[c];
        if (entry == UNKNOWN) {
            done[0] = at;
            done[1] = n;
            return c;
        }
        if (entry == CALLERS) return -1;
        const uint8_t *from = entry == SELF ? text + at : results + (entry >> 8);
        int64_t length = entry == SELF ? width : entry & 0xFF;
        if (n + length > room) return -1;
        for (int64_t i = 0; i < length; i++) out[n++] = from[i];
        at += width;
    }
    done[0] = at;
    done[1] = n;
    return 0;
}
