/* Scores of n-gram models in KenLM's probing format, as the library computes them.

   The hash of an n-gram needs its words alone, not what was found for the shorter ones. So the places of all orders are
   computed some words ahead and fetched into the cache meanwhile; the library waits for one after the other.

   Format: KenLM's lm/binary_format.cc, lm/vocab.cc, lm/search_hashed.hh and util/probing_hash_table.hh; version 5. The
   caller has compared all sizes with the file's. Tables lie on multiples of four bytes only. */

#include "native.h"

#define AHEAD 16 /* words; a power of two */
#define SIGN 0x80000000u
/* A table that is full to five sixths, the most that the caller lets in, has runs of some thousand buckets at the most. */
#define MAX_TRIES (1 << 20)

int native_interface(void) { return 6; }

static uint64_t u64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static uint32_t u32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static float f32(uint32_t bits) { float v; memcpy(&v, &bits, 4); return v; }

/* MurmurHash64A by Austin Appleby, who gave it to the public domain. */
static uint64_t murmur(const uint8_t *p, uint64_t size) {
    const uint64_t m = 0xc6a4a7935bd1e995ULL;
    uint64_t h = size * m;
    const uint8_t *end = p + (size & ~7ULL);
    for (; p != end; p += 8) {
        uint64_t k = u64(p) * m;
        h = (h ^ ((k ^ (k >> 47)) * m)) * m;
    }
    if (size & 7) {
        uint64_t k = 0;
        memcpy(&k, p, size & 7);
        h = (h ^ k) * m;
    }
    h = (h ^ (h >> 47)) * m;
    return h ^ (h >> 47);
}

/* The bucket that holds a hash, or null: linear probing, ended by an empty bucket, or in a damaged table by MAX_TRIES. */
static const uint8_t *find(const uint8_t *table, uint64_t buckets, uint64_t width, uint64_t slot, uint64_t hash) {
    for (uint64_t tried = 0; tried < MAX_TRIES; tried++) {
        const uint8_t *bucket = table + slot * width;
        uint64_t got = u64(bucket);
        if (got == hash) return bucket;
        if (got == 0) return 0;
        if (++slot == buckets) slot = 0;
    }
    return 0;
}

uint32_t ngram_word(const ngram_model *m, const uint8_t *word, int64_t size) {
    uint64_t hash = murmur(word, (uint64_t)size);
    const uint8_t *bucket = find(m->words, m->word_buckets, 12, hash % m->word_buckets, hash);
    uint32_t number = bucket ? u32(bucket + 8) : 0;
    return number < m->word_count ? number : 0;
}

typedef struct {
    uint64_t hash[MAX_ORDER], slot[MAX_ORDER];
} place;

static uint64_t width(const ngram_model *m, uint64_t k) { return k + 2 == m->order ? 12 : 16; }

/* Where the n-grams that end with word i of the text would lie; word -1 is <s>. */
static void prepare(const ngram_model *m, const uint32_t *words, int64_t i, place *out) {
    uint64_t h = words[i];
    FETCH(m->unigrams + 8 * h);
    for (uint64_t k = 0; k + 1 < m->order && (int64_t)k <= i; k++) {
        uint32_t before = i - 1 - (int64_t)k < 0 ? m->begin : words[i - 1 - (int64_t)k];
        h = (h * 8978948897894561157ULL) ^ ((1 + (uint64_t)before) * 17894857484156487943ULL);
        out->hash[k] = h;
        out->slot[k] = h % m->buckets[k];
        FETCH(m->tables[k] + out->slot[k] * width(m, k));
    }
}

/* Log10 probability of words between <s> and </s>. words: their numbers, and room for one more. */
float ngram_score(const ngram_model *m, uint32_t *words, int64_t count) {
    words[count++] = m->end;

    place ring[AHEAD];
    float kept[MAX_ORDER] = {0}, left[MAX_ORDER] = {0}, total = 0;
    uint64_t length = 1;
    left[0] = f32(u32(m->unigrams + 8 * (uint64_t)m->begin + 4));
    for (int64_t i = 0; i < count && i < AHEAD; i++) prepare(m, words, i, &ring[i]);
    for (int64_t i = 0; i < count; i++) {
        const place *at = &ring[i & (AHEAD - 1)];
        const uint8_t *entry = m->unigrams + 8 * (uint64_t)words[i];
        uint32_t probability = u32(entry), back_off = u32(entry + 4);
        uint64_t found = 1, next = back_off != SIGN; /* minus zero: no longer n-gram begins with these words */
        kept[0] = f32(back_off);
        /* The sign of a probability is set where no longer n-gram ends with these words. */
        for (uint64_t k = 0; k < length && !(probability & SIGN); k++) {
            entry = find(m->tables[k], m->buckets[k], width(m, k), at->slot[k], at->hash[k]);
            if (!entry) break;
            found = k + 2;
            probability = u32(entry + 8);
            if (found == m->order) break;
            back_off = u32(entry + 12);
            kept[k + 1] = f32(back_off);
            if (back_off != SIGN) next = found;
        }
        float score = f32(probability | SIGN);
        if (found == m->order) score = f32(probability);
        for (uint64_t k = found - 1; k < length; k++) score += left[k];
        total += score;
        length = next;
        memcpy(left, kept, sizeof left);
        if (i + AHEAD < count) prepare(m, words, i + AHEAD, &ring[i & (AHEAD - 1)]);
    }
    return total;
}

/* Log10 probability of a text, its words separated by ASCII white space. words: room for size / 2 + 2 numbers. */
float ngram_score_text(const ngram_model *m, const uint8_t *text, int64_t size, uint32_t *words) {
    int64_t count = 0;
    for (int64_t at = 0; at < size;) {
        while (at < size && is_space(text[at])) at++;
        int64_t start = at;
        while (at < size && !is_space(text[at])) at++;
        if (at > start) words[count++] = ngram_word(m, text + start, at - start);
    }
    return ngram_score(m, words, count);
}
