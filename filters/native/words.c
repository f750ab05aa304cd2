/* Sums of fastText's rows over the words of a text: what filters.fasttext.logits does with NumPy, over the same arrays.

   A word of at most 16 bytes is looked up in the table of words (filters.fasttext.words.WordTable), a longer one among
   the long words of the vocabulary; of any other word the character n-grams are hashed, as fastText 0.9.3 does in
   Dictionary::computeSubwords, and their rows added up. A short one that comes a second time is put into the table. */

#include "native.h"

#if defined(__GNUC__) || defined(__clang__)
#define COUNT(bits) __builtin_popcountll(bits)
#else
static int COUNT(uint64_t bits) { int n = 0; for (; bits; bits &= bits - 1) n++; return n; }
#endif

#define SHORT 16
#define MAX_WIDTH 1024
#define MAX_BLOCK 64
#define NGRAMS 256 /* whose rows are looked up together */

/* A word of the table: its bytes, and its row; free where low is 0. */
typedef struct {
    uint64_t low, high;
    int64_t row;
} slot;

typedef struct {
    slot *slots;               /* the table */
    int64_t bits, probes;
    /* The matrix of sums; the last two columns are the number of rows and the sum of their norms. */
    float *sums;
    int64_t width;             /* with these two */
    int64_t first_input;       /* row of the input matrix's first */
    int64_t used, capacity;    /* rows in use, and rows there are */
    /* Short words seen once, and the bits of that array's size. */
    uint64_t *seen;
    int64_t seen_bits;
    /* Long words of the vocabulary, by their first eight bytes, then in any order. */
    const uint64_t *long_low;
    const int64_t *long_start; /* of each word, and the end of the last */
    const int32_t *long_row;
    const uint8_t *long_bytes;
    int64_t long_count;
    /* Character n-grams: sizes from least to most characters (most is 0 where there are none). */
    int64_t least, most;
    uint32_t bucket;
    int64_t first_ngram;       /* row of bucket 0, counted from first_input, where nothing is pruned */
    /* Of a pruned model: a bit for each bucket that is kept, how many are kept before each 64 of them, and the rows of
       those that are kept, counted from first_ngram. Null where all are. */
    const uint64_t *kept;
    const int32_t *kept_before;
    const int32_t *row_of_kept;
} word_model;

static uint64_t load(const uint8_t *p, int64_t size) {
    uint64_t v = 0;
    memcpy(&v, p, size < 8 ? (size_t)size : 8);
    return v;
}

/* As WordKeys: equal words have equal keys, and different ones of at most SHORT bytes different ones. */
typedef struct {
    uint64_t low, high, mixed;
} key;

static key key_of(const uint8_t *word, int64_t size, const uint8_t *end) {
    key k;
    if (end - word >= 16) {
        uint64_t a, b;
        memcpy(&a, word, 8);
        memcpy(&b, word + 8, 8);
        k.low = size < 8 ? a & ((1ULL << (8 * size)) - 1) : a;
        k.high = size <= 8 ? 0 : size < 16 ? b & ((1ULL << (8 * (size - 8))) - 1) : b;
    } else {
        k.low = load(word, size);
        k.high = size > 8 ? load(word + 8, size - 8) : 0;
    }
    k.mixed = k.low * 0x9E3779B97F4A7C15ULL;
    if (size >= 8) k.mixed = (k.mixed ^ (k.high * 0xBF58476D1CE4E5B9ULL)) * 0x9E3779B97F4A7C15ULL;
    return k;
}

static int32_t find(const word_model *m, const key *k) {
    uint64_t mask = (1ULL << m->bits) - 1, number = k->mixed >> (64 - m->bits);
    for (int64_t probe = 0; probe < m->probes; probe++, number = (number + 1) & mask) {
        const slot *at = &m->slots[number];
        if (at->low == k->low && at->high == k->high) return (int32_t)at->row;
        if (!at->low) return 0;
    }
    return 0;
}

static void insert(word_model *m, const key *k, int32_t row) {
    uint64_t mask = (1ULL << m->bits) - 1, number = k->mixed >> (64 - m->bits);
    for (int64_t probe = 0; probe < m->probes; probe++, number = (number + 1) & mask) {
        if (!m->slots[number].low) {
            m->slots[number] = (slot){k->low, k->high, row};
            return;
        }
    }
}

static int32_t find_long(const word_model *m, uint64_t low, const uint8_t *word, int64_t size) {
    int64_t first = 0, last = m->long_count;
    while (first < last) {
        int64_t middle = (first + last) / 2;
        if (m->long_low[middle] < low) first = middle + 1;
        else last = middle;
    }
    for (; first < m->long_count && m->long_low[first] == low; first++) {
        int64_t start = m->long_start[first];
        if (m->long_start[first + 1] - start == size && !memcmp(m->long_bytes + start, word, size))
            return m->long_row[first];
    }
    return 0;
}

#define BASIS 2166136261u
#define PRIME 16777619u
#define MIX(h, c) (((h) ^ (uint32_t)(int32_t)(int8_t)(c)) * PRIME)

/* The row of an n-gram, by its bucket, which is kept. */
static const float *row_of(const word_model *m, int64_t bucket) {
    int64_t row = bucket;
    if (m->kept) {
        uint64_t below = m->kept[row >> 6] & ((1ULL << (row & 63)) - 1);
        row = m->row_of_kept[m->kept_before[row >> 6] + COUNT(below)];
    }
    return m->sums + (m->first_input + m->first_ngram + row) * m->width;
}

/* Adds the rows of some n-grams to a sum of doubles. */
static void add_rows(const word_model *m, const uint32_t *buckets, int64_t count, void *out) {
    double *sum = out;
    const float *rows[NGRAMS];
    for (int64_t i = 0; i < count; i++) {
        rows[i] = row_of(m, buckets[i]);
        FETCH(rows[i]);
        FETCH((const uint8_t *)(rows[i] + m->width) - 1);
    }
    for (int64_t i = 0; i < count; i++)
        for (int64_t column = 0; column < m->width; column++) sum[column] += rows[i][column];
}

/* The remainder by division, whose inverse is UINT64_MAX / divisor + 1: exact (Lemire, Kaser and Kurz, "Faster remainder by
   direct computation", 2019), and several times as fast as dividing. */
static uint32_t remainder_of(uint32_t value, uint32_t divisor, uint64_t inverse) {
#ifdef __SIZEOF_INT128__
    return (uint32_t)((unsigned __int128)(inverse * value) * divisor >> 64);
#else
    (void)inverse;
    return value % divisor;
#endif
}

typedef void rows_function(const word_model *m, const uint32_t *buckets, int64_t count, void *sum);

/* Gives the buckets of a word's n-grams that have rows, some at a time, in the order of Dictionary::computeSubwords. */
static inline void each_ngram(const word_model *m, const uint8_t *word, int64_t size, rows_function *add, void *sum) {
    uint32_t buckets[NGRAMS + 1];
    uint64_t inverse = UINT64_MAX / m->bucket + 1;
    int64_t count = 0;
    for (int64_t at = -1; at < size; at++) {
        if (at >= 0 && (word[at] & 0xC0) == 0x80) continue;
        uint32_t h = MIX(BASIS, at < 0 ? '<' : word[at]);
        int64_t next = at + 1;
        for (int64_t n = 1; n <= m->most; n++) {
            for (; next < size && (word[next] & 0xC0) == 0x80; next++) h = MIX(h, word[next]);
            if (n >= m->least && !(n == 1 && at < 0)) {
                uint32_t bucket = remainder_of(h, m->bucket, inverse);
                buckets[count] = bucket;
                count += m->kept ? m->kept[bucket >> 6] >> (bucket & 63) & 1 : 1; /* no branch: it cannot be guessed */
                if (count == NGRAMS) {
                    add(m, buckets, count, sum);
                    count = 0;
                }
            }
            if (next > size) break;
            h = MIX(h, next == size ? '>' : word[next]);
            next++;
        }
    }
    add(m, buckets, count, sum);
}

#define SEPARATORS (1ULL << 32 | 1ULL << 9 | 1ULL << 13 | 1ULL << 11 | 1ULL << 12 | 1ULL) /* space, tab, return, both feeds, 0 */

static int separates(uint8_t c) { return c <= 32 && SEPARATORS >> c & 1; }

/* The row of a word that is not known: the sum of its n-grams' rows. It is kept if the word comes a second time. */
static void sum_of_ngrams(word_model *m, const uint8_t *word, int64_t size, const key *k, float *own) {
    double sum[MAX_WIDTH];
    memset(sum, 0, (size_t)m->width * sizeof *sum);
    each_ngram(m, word, size, add_rows, sum);
    for (int64_t i = 0; i < m->width; i++) own[i] = (float)sum[i];
    if (size <= SHORT && m->used < m->capacity) {
        uint64_t *seen = m->seen + (k->mixed >> (64 - m->seen_bits));
        if (*seen == k->mixed) {
            memcpy(m->sums + m->used * m->width, own, (size_t)m->width * sizeof *own);
            insert(m, k, (int32_t)m->used++);
        }
        *seen = k->mixed;
    }
}

/* The sum of the rows of some words. */
static void add_words(word_model *m, const uint8_t *const *words, const int64_t *sizes, const key *keys, int64_t count,
                      double *out) {
    int32_t rows[MAX_BLOCK];
    float total[MAX_WIDTH], own[MAX_WIDTH];
    int64_t width = m->width;
    for (int64_t i = 0; i < count; i++) {
        rows[i] = sizes[i] <= SHORT ? find(m, &keys[i]) : find_long(m, keys[i].low, words[i], sizes[i]);
        const float *values = m->sums + (int64_t)rows[i] * width;
        FETCH(values);
        FETCH((const uint8_t *)(values + width) - 1);
    }
    memset(total, 0, (size_t)width * sizeof *total);
    for (int64_t i = 0; i < count; i++) {
        const float *values = m->sums + (int64_t)rows[i] * width;
        if (!rows[i]) {
            /* A word with the prefix of labels is none. */
            if (!m->most || (sizes[i] >= 9 && !memcmp(words[i], "__label__", 9))) continue;
            sum_of_ngrams(m, words[i], sizes[i], &keys[i], own);
            values = own;
        }
        for (int64_t column = 0; column < width; column++) total[column] += values[column];
    }
    for (int64_t column = 0; column < width; column++) out[column] = total[column];
}

/* Sums of the rows of each document's words, block by block.

   text: the documents one after the other, without newline and without the word "</s>"; ends: where each ends.
   block: words that make up one sum, at most MAX_BLOCK. out: the sums, of width each, room for
   (bytes + 1) / 2 / block + 1 a document. first: for each document the number of its first sum; it has one at least.
   Returns the number of sums. */
int64_t word_sums(word_model *m, const uint8_t *text, const int64_t *ends, int64_t documents, int64_t block,
                  double *out, int64_t *first) {
    const uint8_t *words[MAX_BLOCK], *end = text + (documents ? ends[documents - 1] : 0);
    int64_t sizes[MAX_BLOCK], sums = 0;
    key keys[MAX_BLOCK];
    for (int64_t document = 0, at = 0; document < documents; document++) {
        first[document] = sums;
        do {
            int64_t count = 0;
            while (at < ends[document] && count < block) {
                if (separates(text[at])) { at++; continue; }
                int64_t start = at;
                while (at < ends[document] && !separates(text[at])) at++;
                words[count] = text + start;
                sizes[count] = at - start;
                keys[count] = key_of(text + start, at - start, end);
                const slot *at_first = m->slots + (keys[count].mixed >> (64 - m->bits));
                FETCH(at_first);
                FETCH((const uint8_t *)(at_first + 1) - 1);
                count++;
            }
            if (count || sums == first[document]) add_words(m, words, sizes, keys, count, out + m->width * sums++);
        } while (at < ends[document]);
    }
    return sums;
}

typedef struct {
    float *sum;
    int64_t width, rows;
} plain_sum;

static void add_plainly(plain_sum *s, const float *row) {
    for (int64_t column = 0; column < s->width; column++) s->sum[column] += row[column];
    s->rows++;
}

static void add_rows_plainly(const word_model *m, const uint32_t *buckets, int64_t count, void *sum) {
    for (int64_t i = 0; i < count; i++) add_plainly(sum, row_of(m, buckets[i]));
}

/* The sum of a text's rows as the library adds them up: one after the other, in float32, a word's own before its n-grams'
   (FastText::getLine, QuantMatrix::averageRowsToVector).

   text: as in word_sums, with 16 bytes behind it. first_word, words: the rows of the vocabulary's sums, whose numbers are
   those of the words in the input matrix. last: the input row that comes last, of the end of the line; -1 for none.
   sum: width - 2 numbers. Returns how many rows there are. */
int64_t rows_in_order(const word_model *m, const uint8_t *text, int64_t size, int64_t first_word, int64_t words, int64_t last,
                      float *sum) {
    plain_sum s = {sum, m->width - 2, 0};
    const float *input = m->sums + m->first_input * m->width;
    memset(sum, 0, (size_t)s.width * sizeof *sum);
    for (int64_t at = 0; at < size;) {
        if (separates(text[at])) { at++; continue; }
        int64_t start = at;
        while (at < size && !separates(text[at])) at++;
        key k = key_of(text + start, at - start, text + size + 16);
        int64_t row = at - start <= SHORT ? find(m, &k) : find_long(m, k.low, text + start, at - start);
        int is_word = row >= first_word && row < first_word + words;
        if (row == 1 || (!is_word && at - start >= 9 && !memcmp(text + start, "__label__", 9))) continue;
        if (is_word) add_plainly(&s, input + (row - first_word) * m->width);
        if (m->most) each_ngram(m, text + start, at - start, add_rows_plainly, &s);
    }
    if (last >= 0) add_plainly(&s, input + last * m->width);
    return s.rows;
}
