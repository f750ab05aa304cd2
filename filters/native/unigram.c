/* SentencePiece's unigram models over texts, as version 0.2.3 of the library encodes them (normalizer.cc,
   unigram_model.cc: EncodeOptimized, sentencepiece_processor.cc), for models of normal pieces alone: no user-defined,
   unused or byte pieces. The pieces are scored at once, by an n-gram model, and never made into strings. */

#include "native.h"

#define BLOCK 256              /* slots: the children of a node lie in one block */
#define BLOCKS_TRIED 16        /* the last so many blocks are searched for room */
#define MAX_MATCHES 32         /* kMaxTrieResultsSize */
#define RESET 100000.0f        /* kScoreResetThreshold */
#define CACHED_BYTES 16        /* of a word, its space not counted; and the most pieces it can then have, with the space */
#define CACHED_PIECES 4
#define CACHE_BITS 16
#define STEEPEST 1000.0f       /* no score of a piece is below -STEEPEST, or no word is cached */
#define MARGIN 0.5f            /* see encode */
#define WORDS_AHEAD 16         /* words whose places in the cache are fetched together */

/* A trie of pieces as a double array: the child of a node by a byte is at its base, exclusive-or the byte, and has that
   byte for a label. No two nodes have one base. No piece has the byte 0, the label of free slots. */
typedef struct {
    uint32_t base_label;       /* base << 8 | label */
    int32_t piece;             /* the number of the piece that ends here, or -1 */
} node;

/* A word whose best pieces are beyond doubt: its bytes, their number, and their scores and numbers in the n-gram model. */
typedef struct {
    uint64_t low, high;
    uint16_t size, pieces;     /* 0 pieces where the entry is free */
    float scores[CACHED_PIECES];
    uint32_t words[CACHED_PIECES];
} cached_word;

typedef struct {
    const node *trie;
    uint64_t nodes;
    const float *scores;       /* by number of piece */
    const uint32_t *words;     /* by number of piece: its number in the n-gram model */
    float unknown;             /* the score of a character that no piece has */
    uint32_t dummy_prefix, extra_spaces; /* whether a space goes before, and whether runs of spaces stay */
    const uint32_t *charsmap;  /* Darts-clone's double array of what is rewritten; null where nothing is */
    uint64_t charsmap_units;
    const uint8_t *rewritten;  /* what becomes of it, each with a zero behind it */
    uint64_t rewritten_size;
    uint64_t plain[2];         /* bits of the ASCII characters that stay as they are, if another of ASCII follows */
    cached_word *cache;        /* 1 << CACHE_BITS entries; null where the pieces of a word depend on its neighbours */
} unigram_model;

typedef struct {
    const uint8_t *bytes;
    const int64_t *starts;
    const int32_t *numbers;
    node *trie;
    uint8_t *is_base;          /* by slot */
    int64_t capacity, used, from;
} builder;

static int place_children(builder *b, int64_t at, int64_t first, int64_t last, int64_t depth) {
    uint8_t labels[BLOCK];
    int64_t begins[BLOCK + 1], count = 0;
    if (b->starts[first + 1] - b->starts[first] == depth) b->trie[at].piece = b->numbers[first++];
    for (int64_t i = first; i < last; i++) {
        uint8_t label = b->bytes[b->starts[i] + depth];
        if (!count || labels[count - 1] != label) {
            labels[count] = label;
            begins[count++] = i;
        }
    }
    if (!count) return 1;
    begins[count] = last;
    int64_t base = 0;
    while (b->from < b->capacity && b->trie[b->from].base_label & 0xFF) b->from++;
    for (int64_t slot = b->from; !base; slot++) {
        if (slot + BLOCK >= b->capacity) return 0;
        if (b->trie[slot].base_label & 0xFF) continue;
        base = slot ^ labels[0];
        if (b->is_base[base]) base = 0;
        for (int64_t i = 1; i < count && base; i++)
            if (b->trie[base ^ labels[i]].base_label & 0xFF) base = 0;
    }
    b->is_base[base] = 1;
    b->trie[at].base_label |= (uint32_t)base << 8;
    for (int64_t i = 0; i < count; i++) {
        int64_t slot = base ^ labels[i];
        b->trie[slot].base_label = labels[i];
        if (slot >= b->used) b->used = slot + 1;
    }
    if (b->used / BLOCK - BLOCKS_TRIED > b->from / BLOCK) b->from = (b->used / BLOCK - BLOCKS_TRIED) * BLOCK;
    for (int64_t i = 0; i < count; i++)
        if (!place_children(b, base ^ labels[i], begins[i], begins[i + 1], depth + 1)) return 0;
    return 1;
}

/* Builds the trie of pieces, which are sorted by their bytes and all different; depth of the recursion: the longest.
   starts: of each piece, and the end of the last. trie: capacity slots, below 2**24. Returns how many are used, or 0. */
int64_t unigram_build(const uint8_t *bytes, const int64_t *starts, const int32_t *numbers, int64_t count, node *trie,
                      int64_t capacity) {
    builder b = {bytes, starts, numbers, trie, calloc((size_t)capacity, 1), capacity, BLOCK, BLOCK};
    for (int64_t i = 0; i < capacity; i++) trie[i] = (node){0, -1};
    int done = b.is_base && (!count || place_children(&b, 0, 0, count, 0));
    free(b.is_base);
    return done ? (b.used / BLOCK + 1) * BLOCK : 0;
}

/* The numbers in an n-gram model of words that lie one behind the other. */
void ngram_words(const ngram_model *m, const uint8_t *bytes, const int64_t *starts, int64_t count, uint32_t *out) {
    for (int64_t i = 0; i < count; i++) out[i] = ngram_word(m, bytes + starts[i], starts[i + 1] - starts[i]);
}

static int64_t width_of(uint8_t c) { return "\1\1\1\1\1\1\1\1\1\1\1\1\2\2\3\4"[c >> 4]; }

/* The longest rule for what a text begins with: its length in bytes, and where its result begins; 0 for none. */
static int64_t rule(const unigram_model *m, const uint8_t *text, int64_t size, uint64_t *result) {
    int64_t length = 0, matches = 0;
    uint64_t at = 0;
    if (!m->charsmap) return 0;
    uint32_t unit = m->charsmap[0];
    at = (unit >> 10) << ((unit & 0x200) >> 6);
    for (int64_t i = 0; i < size && matches < MAX_MATCHES; i++) {
        at ^= text[i];
        if (at >= m->charsmap_units) break;
        unit = m->charsmap[at];
        if ((unit & 0x800000FF) != text[i]) break;
        at ^= (unit >> 10) << ((unit & 0x200) >> 6);
        if (unit >> 8 & 1) {
            if (at >= m->charsmap_units) break;
            length = i + 1;
            *result = m->charsmap[at] & 0x7FFFFFFF;
            matches++;
        }
    }
    return length && *result < m->rewritten_size ? length : 0;
}

/* Whether any rule begins with two bytes. */
static int follows(const unigram_model *m, const uint8_t *text) {
    if (!m->charsmap) return 0;
    uint64_t at = (m->charsmap[0] >> 10) << ((m->charsmap[0] & 0x200) >> 6);
    for (int i = 0; i < 2; i++) {
        at ^= text[i];
        if (at >= m->charsmap_units || (m->charsmap[at] & 0x800000FF) != text[i]) return 0;
        at ^= (m->charsmap[at] >> 10) << ((m->charsmap[at] & 0x200) >> 6);
    }
    return 1;
}

/* What a text begins with, rewritten: its size goes to *size; returns how many bytes of the text it stands for. */
static int64_t prefix(const unigram_model *m, const uint8_t *text, int64_t left, const uint8_t **out, int64_t *size) {
    uint64_t result = 0;
    int64_t length = rule(m, text, left, &result);
    if (length) {
        *out = m->rewritten + result;
        *size = (int64_t)strlen((const char *)*out);
        return length;
    }
    length = width_of(*text);
    *out = text;
    return *size = length < left ? length : left;
}

/* Finds what of ASCII stays as it is (plain): no rule begins with it that has ASCII, or nothing, behind it. Returns the
   bytes of a cache. */
int64_t unigram_prepare(unigram_model *m) {
    m->plain[0] = m->plain[1] = 0;
    for (int c = 1; c < 128; c++) {
        uint8_t text[2] = {(uint8_t)c, 0};
        uint64_t result;
        int kept = c != ' ' && !rule(m, text, 1, &result);
        for (int next = 1; next < 128 && kept; next++) {
            text[1] = (uint8_t)next;
            kept = !follows(m, text);
        }
        if (kept) m->plain[c >> 6] |= 1ULL << (c & 63);
    }
    return (int64_t)sizeof(cached_word) << CACHE_BITS;
}

static int is_plain(const unigram_model *m, uint8_t c) { return c < 0x80 && m->plain[c >> 6] >> (c & 63) & 1; }

static const uint8_t SPACE[3] = {0xE2, 0x96, 0x81};

/* Normalises a text as the model's training did. out: room bytes. Returns the size, or -1 where that is too little. */
static int64_t normalize(const unigram_model *m, const uint8_t *text, int64_t size, uint8_t *out, int64_t room) {
    int64_t at = 0, n = 0, length, taken;
    const uint8_t *found;
    int after_space = !m->extra_spaces;
    if (!m->extra_spaces) {
        for (; at < size; at += taken) {
            taken = prefix(m, text + at, size - at, &found, &length);
            if (length != 1 || *found != ' ') break;
        }
    }
    if (at >= size) return 0;
    if (m->dummy_prefix) {
        memcpy(out, SPACE, 3);
        n = 3;
    }
    for (; at < size; at += taken) {
        if (at + 1 < size && n < room && is_plain(m, text[at]) && text[at + 1] < 0x80) {
            out[n++] = text[at];
            after_space = 0;
            taken = 1;
            continue;
        }
        taken = prefix(m, text + at, size - at, &found, &length);
        while (after_space && length && *found == ' ') found++, length--;
        if (n + 3 * length > room) return -1;
        for (int64_t i = 0; i < length; i++) {
            if (found[i] == ' ') {
                memcpy(out + n, SPACE, 3);
                n += 3;
            } else {
                out[n++] = found[i];
            }
        }
        if (length) after_space = !m->extra_spaces && found[length - 1] == ' ';
    }
    if (!m->extra_spaces)
        while (n >= 3 && !memcmp(out + n - 3, SPACE, 3)) n -= 3;
    return n;
}

typedef struct {
    float score;
    int32_t start, piece;      /* of the best last piece that ends here; -1 for none, or for no piece */
    float second;              /* the score of the second best */
} ending;

#define LOWEST (-3.0e38f)

static void offer(ending *end, float candidate, int64_t start, int32_t piece) {
    if (end->start == -1) {
        *end = (ending){candidate, (int32_t)start, piece, LOWEST};
    } else if (candidate > end->score) {
        *end = (ending){candidate, (int32_t)start, piece, end->score};
    } else if (candidate > end->second) {
        end->second = candidate;
    }
}

/* The best segmentation of a part of a normalised text over whose ends no piece reaches, by the ends of its pieces.

   ends: of the whole text; the score of the part's beginning is given. */
static void segment(const unigram_model *m, const uint8_t *text, int64_t start, int64_t size, ending *ends) {
    int64_t frontier = start;
    for (int64_t i = start + 1; i <= size; i++) ends[i].start = -1;
    while (start < size) {
        float score = ends[start].score;
        if (score < -RESET || score > RESET) {
            for (int64_t i = start; i <= frontier; i++)
                if (i == start || ends[i].start != -1) ends[i].score -= score, ends[i].second -= score;
            score = 0;
        }
        int64_t width = width_of(text[start]), single = 0;
        if (width > size - start) width = size - start;
        uint32_t base = m->trie[0].base_label >> 8;
        for (int64_t at = start; at < size;) {
            const node *child = &m->trie[base ^ text[at]];
            if ((child->base_label & 0xFF) != text[at] || !text[at]) break;
            base = child->base_label >> 8;
            at++;
            if (child->piece < 0) continue;
            if (at > frontier) frontier = at;
            offer(&ends[at], m->scores[child->piece] + score, start, child->piece);
            single |= at - start == width;
        }
        if (!single) {
            if (start + width > frontier) frontier = start + width;
            offer(&ends[start + width], m->unknown + score, start, -1);
        }
        start += width;
    }
}

/* The pieces of a text as they are found. */
typedef struct {
    const ngram_model *ngrams;
    const uint8_t *text;
    uint32_t *words;           /* their numbers in the n-gram model */
    int64_t count, unknown;    /* how many there are; where the run of unknown ones begins that is being read, or -1 */
} pieces;

static void end_unknown(pieces *p, int64_t end) {
    if (p->unknown >= 0) p->words[p->count++] = ngram_word(p->ngrams, p->text + p->unknown, end - p->unknown);
    p->unknown = -1;
}

/* Adds the best pieces of a part, as segment has left them; a run of unknown ones is one. way: room for the part's size.

   Returns 0 where white space or a zero stayed in an unknown piece. */
static int follow(const unigram_model *m, pieces *p, int64_t start, int64_t size, const ending *ends, int32_t *way) {
    int64_t steps = 0;
    for (int64_t end = size; end > start; end = ends[end].start) way[steps++] = (int32_t)end;
    for (; steps; start = way[steps]) {
        const ending *end = &ends[way[--steps]];
        if (end->piece >= 0) {
            end_unknown(p, start);
            p->words[p->count++] = m->words[end->piece];
            continue;
        }
        if (p->unknown < 0) p->unknown = start;
        for (int64_t i = start; i < way[steps]; i++)
            if (is_space(p->text[i]) || !p->text[i]) return 0;
    }
    return 1;
}

/* Whether the pieces of a part, as segment has left them, are the same whatever the score it begins with; then they are
   kept. */
static void keep(const unigram_model *m, int64_t start, int64_t size, const ending *ends, cached_word *entry,
                 uint64_t low, uint64_t high) {
    cached_word found = {low, high, (uint16_t)(size - start - 3), 0, {0}, {0}};
    int32_t way[CACHED_PIECES];
    int64_t count = 0;
    for (int64_t end = size; end > start; end = ends[end].start) {
        if (count == CACHED_PIECES || ends[end].piece < 0 || ends[end].score - ends[end].second < MARGIN) return;
        way[count++] = ends[end].piece;
    }
    for (found.pieces = (uint16_t)count; count; count--) {
        int64_t at = found.pieces - count;
        found.scores[at] = m->scores[way[count - 1]];
        found.words[at] = m->words[way[count - 1]];
    }
    *entry = found;
}

/* Where the word ends that begins at a place: before the next space. */
static int64_t word_end(const uint8_t *text, int64_t at, int64_t size) {
    for (at++; at < size; at++)
        if (text[at] == SPACE[0] && at + 2 < size && text[at + 1] == SPACE[1] && text[at + 2] == SPACE[2]) break;
    return at;
}

/* A word of a normalised text, and its place in the cache, which is being fetched; null for one that is not kept. */
typedef struct {
    int64_t at, end, size;
    uint64_t low, high;
    cached_word *entry;
} found_word;

static found_word find_word(const unigram_model *m, const uint8_t *text, int64_t at, int64_t n) {
    found_word w = {at, m->cache ? word_end(text, at, n) : n, 0, 0, 0, 0};
    w.size = w.end - at - 3;
    if (!m->cache || w.size <= 0 || w.size > CACHED_BYTES || memcmp(text + at, SPACE, 3)) return w;
    memcpy(&w.low, text + at + 3, 8);
    memcpy(&w.high, text + at + 11, 8);
    if (w.size < 8) w.low &= (1ULL << (8 * w.size)) - 1;
    if (w.size <= 8) w.high = 0;
    else if (w.size < 16) w.high &= (1ULL << (8 * (w.size - 8))) - 1;
    uint64_t mixed = (w.low * 0x9E3779B97F4A7C15ULL ^ w.high) * 0xBF58476D1CE4E5B9ULL;
    w.entry = &m->cache[mixed >> (64 - CACHE_BITS)];
    FETCH(w.entry);
    FETCH((const uint8_t *)(w.entry + 1) - 1);
    return w;
}

/* Encodes a normalised text. ends, way: room for n + 1. Returns 0 where the libraries must be asked.

   Where no piece has a space but at its beginning, the pieces of a word depend on its neighbours by the score alone at which
   it begins, for float32 rounds a large sum more than a small one. Up to RESET a sum is rounded by 1/256 at the most. The at
   most 19 pieces of a word of CACHED_BYTES and a space can so shift two sums by 0.15 against each other: where the best is
   better by MARGIN, whatever its beginning, than the second at each end on its way, it is the best from any beginning. While
   no place in a word can be lower than RESET, the library does not begin anew there. The sum of the pieces' scores is the
   library's to the last bit, for it is added up in the same order. */
static int encode(const unigram_model *m, pieces *p, int64_t n, ending *ends, int32_t *way) {
    const uint8_t *text = p->text;
    found_word words[WORDS_AHEAD];
    float score = 0;
    ends[0] = (ending){0, -1, -1, LOWEST};
    for (int64_t next = 0; next < n;) {
        int count = 0;
        for (; count < WORDS_AHEAD && next < n; next = words[count++].end) words[count] = find_word(m, text, next, n);
        for (int i = 0; i < count; i++) {
            const found_word *w = &words[i];
            int is_free = w->entry && score <= 0 && score > -RESET + (CACHED_BYTES + 3) * STEEPEST;
            cached_word *entry = is_free ? w->entry : 0;
            if (entry && entry->pieces && entry->size == w->size && entry->low == w->low && entry->high == w->high) {
                end_unknown(p, w->at);
                for (int piece = 0; piece < entry->pieces; piece++) {
                    score = entry->scores[piece] + score;
                    p->words[p->count++] = entry->words[piece];
                }
                continue;
            }
            ends[w->at].score = score;
            segment(m, text, w->at, w->end, ends);
            if (!follow(m, p, w->at, w->end, ends, way)) return 0;
            if (entry) keep(m, w->at, w->end, ends, entry, w->low, w->high);
            score = ends[w->end].score;
        }
    }
    end_unknown(p, n);
    return 1;
}

/* Scores a text of valid UTF-8: its log10 probability goes to *score.

   Returns the number of its pieces, or -1 where the libraries must be asked: for want of memory, or since white space or
   a zero stayed in an unknown piece. */
int64_t unigram_score(const unigram_model *m, const ngram_model *ngrams, const uint8_t *text, int64_t size,
                      float *score) {
    int64_t room = 3 * size + 64, count = -1;
    uint8_t *normal = malloc((size_t)room + CACHED_BYTES);
    int64_t n = normal && size < INT32_MAX / 4 ? normalize(m, text, size, normal, room) : -1;
    if (n == 0) count = 0;
    if (n > 0) {
        ending *ends = malloc((size_t)(n + 1) * sizeof *ends);
        int32_t *way = malloc((size_t)(n + 1) * sizeof *way);
        uint32_t *words = malloc((size_t)(n + 2) * sizeof *words);
        pieces found = {ngrams, normal, words, 0, -1};
        if (ends && way && words && encode(m, &found, n, ends, way)) {
            count = found.count;
            *score = ngram_score(ngrams, words, count);
        }
        free(ends);
        free(way);
        free(words);
    }
    free(normal);
    return count;
}
