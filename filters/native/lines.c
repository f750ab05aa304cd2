/* The lines of a text, stripped; and their hashes, as filters.commoncrawl.lines has them: each is stripped, its characters
   go through a table, and what is left is hashed by SHA-1 (FIPS 180-4), of which the first 64 bits count. */

#include "native.h"

#define TABLE 0x20000          /* characters from here on stay as they are */

#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 20")
#else
#define UNROLL
#endif

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1_block(uint32_t *h, const uint8_t *p) {
    uint32_t w[16], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
#define STEP(f, k)                                                    \
    do {                                                              \
        if (t >= 16)                                                  \
            w[t & 15] = rotate(w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15], 1); \
        uint32_t next = rotate(a, 5) + (f) + e + (k) + w[t & 15];     \
        e = d, d = c, c = rotate(b, 30), b = a, a = next;             \
    } while (0)
    UNROLL
    for (int t = 0; t < 16; t++, p += 4)
        w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    UNROLL
    for (int t = 0; t < 20; t++) STEP((b & c) | (~b & d), 0x5A827999u);
    UNROLL
    for (int t = 20; t < 40; t++) STEP(b ^ c ^ d, 0x6ED9EBA1u);
    UNROLL
    for (int t = 40; t < 60; t++) STEP((b & c) | (b & d) | (c & d), 0x8F1BBCDCu);
    UNROLL
    for (int t = 60; t < 80; t++) STEP(b ^ c ^ d, 0xCA62C1D6u);
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* The same by the processor's own instructions, four rounds at a time, where it has them. */
__attribute__((target("sha,sse4.1"))) static void sha1_block_by_processor(uint32_t *h, const uint8_t *p) {
    const __m128i order = _mm_set_epi64x(0x0001020304050607LL, 0x08090a0b0c0d0e0fLL);
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h), 0x1B), e = _mm_set_epi32((int)h[4], 0, 0, 0);
    __m128i first = abcd, first_e = e, before, w[4];
    for (int i = 0; i < 4; i++) w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), order);
#define FOUR(i, function)                                                                         \
    do {                                                                                          \
        if (i >= 4) {                                                                             \
            __m128i mixed = _mm_xor_si128(_mm_sha1msg1_epu32(w[i & 3], w[(i + 1) & 3]), w[(i + 2) & 3]); \
            w[i & 3] = _mm_sha1msg2_epu32(mixed, w[(i + 3) & 3]);                                 \
        }                                                                                         \
        e = i ? _mm_sha1nexte_epu32(before, w[i & 3]) : _mm_add_epi32(e, w[0]);                   \
        before = abcd;                                                                            \
        abcd = _mm_sha1rnds4_epu32(abcd, e, function);                                            \
    } while (0)
    FOUR(0, 0); FOUR(1, 0); FOUR(2, 0); FOUR(3, 0); FOUR(4, 0);
    FOUR(5, 1); FOUR(6, 1); FOUR(7, 1); FOUR(8, 1); FOUR(9, 1);
    FOUR(10, 2); FOUR(11, 2); FOUR(12, 2); FOUR(13, 2); FOUR(14, 2);
    FOUR(15, 3); FOUR(16, 3); FOUR(17, 3); FOUR(18, 3); FOUR(19, 3);
    e = _mm_sha1nexte_epu32(before, first_e);
    _mm_storeu_si128((__m128i *)h, _mm_shuffle_epi32(_mm_add_epi32(abcd, first), 0x1B));
    h[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

static int has_sha1(void) {
    static int known = -1; /* on a virtual machine it takes longer to ask than to hash a page */
    if (known < 0) {
        unsigned a, b, c, d;
        int has_sse = __get_cpuid(1, &a, &b, &c, &d) && c & bit_SSE4_1;
        known = has_sse && __get_cpuid_count(7, 0, &a, &b, &c, &d) && b >> 29 & 1;
    }
    return known;
}
#else
#define sha1_block_by_processor sha1_block
static int has_sha1(void) { return 0; }
#endif

typedef void block_function(uint32_t *, const uint8_t *);

/* The first eight bytes of the digest, as a little-endian number. */
static uint64_t sha1_head(const uint8_t *p, uint64_t size, block_function *add) {
    uint32_t h[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};
    uint64_t left = size;
    for (; left >= 64; p += 64, left -= 64) add(h, p);
    uint8_t last[128] = {0};
    int blocks = left < 56 ? 1 : 2;
    memcpy(last, p, left);
    last[left] = 0x80;
    for (int i = 0; i < 8; i++) last[64 * blocks - 1 - i] = (uint8_t)(size * 8 >> 8 * i);
    for (int i = 0; i < blocks; i++) add(h, last + 64 * i);
    uint64_t head = 0;
    for (int i = 0; i < 8; i++) head |= (uint64_t)(uint8_t)(h[i / 4] >> (24 - 8 * (i % 4))) << 8 * i;
    return head;
}

/* White space, as str.strip has it. */
static int is_white(uint32_t c) {
    if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

/* The size of the white character that bytes begin with, or of the one that they end with; 0 for none. Its first byte is no
   continuation of another's, so these bytes are that character whatever stands beside them, UTF-8 or not. */
static int64_t white_at(const uint8_t *p, int64_t left) {
    if (*p < 0x80) return is_white(*p);
    if (left >= 2 && *p == 0xC2) return p[1] == 0x85 || p[1] == 0xA0 ? 2 : 0;
    if (left < 3 || *p < 0xE1 || *p > 0xE3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80) return 0;
    return is_white((uint32_t)(*p & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F)) ? 3 : 0;
}

static int64_t white_before(const uint8_t *p, int64_t left) {
    if (p[-1] < 0x80) return is_white(p[-1]);
    if (left >= 2 && white_at(p - 2, 2) == 2) return 2;
    return left >= 3 && white_at(p - 3, 3) == 3 ? 3 : 0;
}

/* Strips each line of a text, which ends at \n, \r or \r\n; between the lines stands one \n. out: room for size bytes.
   Returns how many there are. */
int64_t stripped_lines(const uint8_t *text, int64_t size, uint8_t *out) {
    const uint8_t *p = text, *end = text + size;
    uint8_t *to = out;
    for (;; *to++ = '\n') {
        const uint8_t *first = p;
        while (p < end && *p != '\n' && *p != '\r') p++;
        const uint8_t *last = p;
        for (int64_t n; first < last && (n = white_at(first, last - first));) first += n;
        for (int64_t n; first < last && (n = white_before(last, last - first));) last -= n;
        memcpy(to, first, (size_t)(last - first));
        to += last - first;
        if (p == end) return to - out;
        p += *p == '\r' && p + 1 < end && p[1] == '\n' ? 2 : 1;
    }
}

static uint32_t decode(const uint8_t **p, const uint8_t *end) {
    const uint8_t *s = *p;
    int64_t width = *s < 0x80 ? 1 : *s < 0xE0 ? 2 : *s < 0xF0 ? 3 : 4;
    if (width > end - s) width = end - s;
    uint32_t c = width == 1 ? *s : *s & (0x7F >> width);
    for (int64_t i = 1; i < width; i++) c = c << 6 | (s[i] & 0x3F);
    *p = s + width;
    return c;
}

static uint8_t *encode(uint8_t *out, uint32_t c) {
    if (c < 0x80) {
        *out++ = (uint8_t)c;
    } else if (c < 0x800) {
        *out++ = (uint8_t)(0xC0 | c >> 6);
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    } else {
        if (c < 0x10000) {
            *out++ = (uint8_t)(0xE0 | c >> 12);
        } else {
            *out++ = (uint8_t)(0xF0 | c >> 18);
            *out++ = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        }
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    }
    return out;
}

/* Hashes the lines of a text of valid UTF-8 (lone surrogates have three bytes).

   table: for the characters below TABLE what becomes of them, 0 for those that go. key: room for 2 * size + 1 bytes, for a
   character of two bytes can become one of three. hashes: room for as many as there are lines; their number is returned.
   use_instructions: whether the processor's own may be used, where it has them. */
int64_t line_hashes(const uint8_t *text, int64_t size, const uint32_t *table, uint8_t *key, uint64_t *hashes,
                    int use_instructions) {
    const uint8_t *p = text, *end = text + size;
    uint8_t ascii[128], inside[128]; /* what becomes of a character, and whether it is no white space */
    for (int c = 0; c < 128; c++) ascii[c] = (uint8_t)table[c], inside[c] = !is_white((uint32_t)c);
    int64_t count = 0;
    block_function *add = use_instructions && has_sha1() ? sha1_block_by_processor : sha1_block;
    for (;; p++) {
        uint8_t *out = key, *kept = key; /* behind the last character that is no white space */
        int begun = 0;
        while (p < end && *p != '\n') {
            if (*p < 0x80) {
                begun |= inside[*p];
                *out = ascii[*p];
                out += begun && *out;
                if (inside[*p++]) kept = out;
                continue;
            }
            uint32_t c = decode(&p, end);
            int white = is_white(c);
            if (white && !begun) continue;
            begun = 1;
            if (c < TABLE) c = table[c];
            if (c) out = encode(out, c);
            if (!white) kept = out;
        }
        hashes[count++] = sha1_head(key, (uint64_t)(kept - key), add);
        if (p >= end) return count;
    }
}
