/* SentencePiece's unigram models over texts, as version 0.2.3 of the library encodes them (normalizer.cc,
   unigram_model.cc: EncodeOptimized, sentencepiece_processor.cc), for models of normal pieces alone: no user-defined,
   unused or byte pieces. The pieces are scored at once, by an n-gram model, and never made into strings. */

#include "native.h"

#define BLOCK 256              /* slots: the children of a node lie in one block */
#define BLOCKS_TRIED 16        /* the last so many blocks are searched for room */
#define MAX_MATCHES 32         /* kMaxTrieResultsSize */
#define RESET 100000.0f        /* kScoreResetThreshold */

/* A trie of pieces as a double array: the child of a node by a byte is at its base, exclusive-or the byte, and has that
   byte for a label. No two nodes have one base. No piece has the byte 0, the label of free slots. */
typedef struct {
    uint32_t base_label;       /* base << 8 | label */
    int32_t piece;             /* the number of the piece that ends here, or -1 */
} node;

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
} ending;

/* The best segmentation of a normalised text, by the ends of its pieces. ends: size + 1 of them. */
static void segment(const unigram_model *m, const uint8_t *text, int64_t size, ending *ends) {
    int64_t frontier = 0;
    for (int64_t i = 0; i <= size; i++) ends[i] = (ending){0, -1, -1};
    for (int64_t start = 0; start < size;) {
        float score = ends[start].score;
        if (score < -RESET || score > RESET) {
            for (int64_t i = start; i <= frontier; i++)
                if (i == start || ends[i].start != -1) ends[i].score -= score;
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
            float candidate = m->scores[child->piece] + score;
            if (at > frontier) frontier = at;
            if (ends[at].start == -1 || candidate > ends[at].score)
                ends[at] = (ending){candidate, (int32_t)start, child->piece};
            single |= at - start == width;
        }
        if (!single) {
            float candidate = m->unknown + score;
            ending *end = &ends[start + width];
            if (start + width > frontier) frontier = start + width;
            if (end->start == -1 || candidate > end->score) *end = (ending){candidate, (int32_t)start, -1};
        }
        start += width;
    }
}

/* Scores a text of valid UTF-8: its log10 probability goes to *score.

   Returns the number of its pieces, or -1 where the libraries must be asked: for want of memory, or since white space or
   a zero stayed in an unknown piece. */
int64_t unigram_score(const unigram_model *m, const ngram_model *ngrams, const uint8_t *text, int64_t size,
                      float *score) {
    int64_t room = 3 * size + 64, count = 0, from, unknown_end = -1;
    uint8_t *normal = malloc((size_t)room);
    int64_t n = normal && size < INT32_MAX / 4 ? normalize(m, text, size, normal, room) : -1;
    ending *ends = n > 0 ? malloc((size_t)(n + 1) * sizeof *ends) : 0;
    uint32_t *words = n > 0 ? malloc((size_t)(n + 2) * sizeof *words) : 0;
    if (n < 0 || (n && (!ends || !words))) count = -1;
    if (n > 0 && count == 0) {
        segment(m, normal, n, ends);
        /* From the end: words[from ...] are the pieces so far; a run of unknown ones is one. */
        from = n + 1;
        for (int64_t end = n; end > 0 && count >= 0; end = ends[end].start) {
            int64_t start = ends[end].start;
            if (ends[end].piece >= 0) {
                words[--from] = m->words[ends[end].piece];
                unknown_end = -1;
                continue;
            }
            for (int64_t i = start; i < end; i++)
                if (is_space(normal[i]) || !normal[i]) count = -1;
            if (unknown_end < 0) {
                unknown_end = end;
                from--;
            }
            if (start == 0 || ends[start].piece >= 0) words[from] = ngram_word(ngrams, normal + start, unknown_end - start);
        }
        if (count == 0) {
            count = n + 1 - from;
            memmove(words, words + from, (size_t)count * sizeof *words);
            *score = ngram_score(ngrams, words, count);
        }
    }
    free(normal);
    free(ends);
    free(words);
    return count;
}
