/* Byte-pair encoding as version 0.2.3 of SentencePiece does it (bpe_model.cc: SampleEncode, sentencepiece_processor.cc),
   for models of normal pieces with byte fallback whose texts can be cut into units that encode independently (see
   tokenizer/cuts.py): of all neighbours whose texts together are a piece those with the best score are merged, the
   leftmost first, until there are none. What is no piece in the end is a character, and has an id for each byte.

   Symbols have numbers: a piece its id and one, a character that is in pieces but is none itself a number above those,
   any other character 0. The ids of short units are kept in a table. */

#include "native.h"

#define KEY_BYTES 23           /* of the longest unit in the table: three words less the byte of its length */
#define FEW 32                 /* symbols that are searched one by one; more go through a heap */
#define BRANCHES 4             /* of the heap */
#define AHEAD 16               /* units whose rows are fetched before they are read */
#define INLINE_IDS 3           /* of 18 bits, in a row's value; more, or larger ones, lie in the pool */
#define INLINE_BITS 18
#define NEVER UINT32_MAX       /* the rank of what is no piece */
#define CODE_POINTS 0x110000

typedef struct {
    uint32_t left, right, merged, rank; /* rank: of the score, 0 for the best; a free slot has no symbols, and NEVER */
} pair;

typedef struct {
    uint64_t key[3];           /* the unit's bytes, and in the last byte its length; all 0: free */
    uint64_t value;            /* in the low byte its number of ids, and whether they lie in the pool; above it the ids, or where */
} row;

typedef struct {
    const uint8_t *before, *after;  /* by byte: two may be cut apart where these share no bit */
    const uint32_t *symbols;   /* by code point */
    const uint32_t *byte_ids;
    const pair *pairs;
    uint64_t pair_bits;
    uint64_t pieces;           /* symbols above this have no id of their own */
    uint64_t mixers[3];        /* odd multipliers */
    row *rows;
    uint64_t row_bits, units;
    uint32_t *pool;
    uint64_t pooled, pool_size;
    uint64_t resets;           /* how often the table or the pool was full */
} bpe_encoder;

static inline uint64_t mixed(uint64_t a, uint64_t b, uint64_t c, const uint64_t *mixers) {
    uint64_t hash = a * mixers[0] ^ b * mixers[1] ^ c * mixers[2];
    return (hash ^ hash >> 32) * mixers[0];
}

static inline uint64_t home_of_pair(uint32_t left, uint32_t right, const uint64_t *mixers, uint64_t bits) {
    return mixed(left, right, 0, mixers) >> (64 - bits);
}

/* The pair of two symbols, or a free slot. */
static inline const pair *find_pair(const bpe_encoder *e, uint32_t left, uint32_t right) {
    uint64_t slot = home_of_pair(left, right, e->mixers, e->pair_bits);
    while (e->pairs[slot].merged && (e->pairs[slot].left != left || e->pairs[slot].right != right))
        slot = (slot + 1) & ((1ULL << e->pair_bits) - 1);
    return &e->pairs[slot];
}

/* Texts of symbols, to find their numbers by. */
typedef struct {
    const uint8_t *bytes;
    const int64_t *starts;     /* of each text, and the end of the last */
    uint32_t *slots;           /* which text, and one; 0: free */
    uint64_t bits, mixer;
} text_table;

static uint64_t home_of_text(const text_table *t, const uint8_t *text, int64_t size) {
    uint64_t hash = (uint64_t)size;
    for (int64_t i = 0; i < size; i++) hash = (hash ^ hash >> 32 ^ text[i]) * t->mixer;
    return hash >> (64 - t->bits);
}

static uint32_t *find_text(const text_table *t, const uint8_t *text, int64_t size) {
    uint64_t slot = home_of_text(t, text, size);
    for (; t->slots[slot]; slot = (slot + 1) & ((1ULL << t->bits) - 1)) {
        const int64_t *start = &t->starts[t->slots[slot] - 1];
        if (start[1] - start[0] == size && !memcmp(t->bytes + start[0], text, (size_t)size)) break;
    }
    return &t->slots[slot];
}

static int is_inside(uint8_t byte) { return (byte & 0xC0) == 0x80; }

/* All pairs of symbols whose texts together are a piece.

   bytes, starts: the texts of symbols, all different, one behind the other: where each begins, and the end of the last.
   numbers, ranks: of each. out: room for a pair a byte. Returns how many there are, or -1 for want of memory. */
int64_t bpe_pairs(const uint8_t *bytes, const int64_t *starts, const uint32_t *numbers, const uint32_t *ranks,
                  int64_t count, uint64_t mixer, pair *out) {
    text_table t = {bytes, starts, 0, 1, mixer};
    int64_t found = 0;
    while (1LL << t.bits < 2 * count) t.bits++;
    t.slots = calloc((size_t)1 << t.bits, sizeof *t.slots);
    if (!t.slots) return -1;
    for (int64_t i = 0; i < count; i++) *find_text(&t, bytes + starts[i], starts[i + 1] - starts[i]) = (uint32_t)i + 1;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t at = starts[i] + 1; at < starts[i + 1]; at++) {
            if (is_inside(bytes[at])) continue;
            uint32_t left = *find_text(&t, bytes + starts[i], at - starts[i]);
            uint32_t right = left ? *find_text(&t, bytes + at, starts[i + 1] - at) : 0;
            if (right) out[found++] = (pair){numbers[left - 1], numbers[right - 1], numbers[i], ranks[i]};
        }
    }
    free(t.slots);
    return found;
}

/* Puts pairs into a table of 2**bits slots, more than there are pairs. */
void bpe_table(const pair *pairs, int64_t count, const uint64_t *mixers, uint64_t bits, pair *table) {
    for (int64_t i = 0; i < 1LL << bits; i++) table[i] = (pair){0, 0, 0, NEVER};
    for (int64_t i = 0; i < count; i++) {
        uint64_t slot = home_of_pair(pairs[i].left, pairs[i].right, mixers, bits);
        while (table[slot].merged) slot = (slot + 1) & ((1ULL << bits) - 1);
        table[slot] = pairs[i];
    }
}

/* Bytes of the character that a text begins with; whatever the bytes are, it ends within the text. */
static inline int64_t width_at(const uint8_t *text, int64_t left) {
    int64_t width = 1;
    if (text[0] >= 0x80)
        while (width < left && is_inside(text[width])) width++;
    return width;
}

static inline uint32_t symbol_of(const bpe_encoder *e, const uint8_t *character, int64_t width) {
    uint32_t point = character[0];
    if (point < 0x80) return e->symbols[point];
    if (width > 4) return 0;
    point &= 0xFFu >> (width + 1);
    for (int64_t i = 1; i < width; i++) point = point << 6 | (character[i] & 0x3F);
    return point < CODE_POINTS ? e->symbols[point] : 0;
}

/* Writes the ids of a symbol, and returns how many there are. */
static inline int64_t put(const bpe_encoder *e, uint32_t symbol, const uint8_t *text, int64_t size, uint32_t *ids) {
    if (symbol && symbol <= e->pieces) {
        *ids = symbol - 1;
        return 1;
    }
    for (int64_t i = 0; i < size; i++) ids[i] = e->byte_ids[text[i]];
    return size;
}

/* A symbol of a unit, and what it would make with the next one. */
typedef struct {
    uint32_t symbol, start, merged, rank;
} neighbour;

static inline void look_right(const bpe_encoder *e, neighbour *n) {
    const pair *p = find_pair(e, n[0].symbol, n[1].symbol);
    n->merged = p->merged;
    n->rank = p->rank;
}

/* Encodes a unit of at most FEW characters, and of any number of bytes below 2**32; returns the number of ids. */
static int64_t encode_few(const bpe_encoder *e, const uint8_t *text, int64_t size, uint32_t *ids) {
    neighbour n[FEW + 1];
    int64_t count = 0, width;
    for (int64_t at = 0; at < size; at += width) {
        width = width_at(text + at, size - at);
        n[count].start = (uint32_t)at;
        n[count++].symbol = symbol_of(e, text + at, width);
    }
    n[count].start = (uint32_t)size;
    for (int64_t i = 0; i + 1 < count; i++) look_right(e, &n[i]);
    while (count > 1) {
        int64_t best = 0;
        for (int64_t i = 1; i + 1 < count; i++)
            if (n[i].rank < n[best].rank) best = i;
        if (n[best].rank == NEVER) break;
        n[best].symbol = n[best].merged;
        memmove(&n[best + 1], &n[best + 2], (size_t)(count - best - 1) * sizeof *n);
        count--;
        if (best > 0) look_right(e, &n[best - 1]);
        if (best + 1 < count) look_right(e, &n[best]);
    }
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t width = (int64_t)n[i + 1].start - n[i].start;
        found += put(e, n[i].symbol, text + n[i].start, width, ids + found);
    }
    return found;
}

/* A symbol in a list of many. */
typedef struct {
    uint32_t symbol, previous, next; /* indices; the last one's next is the number of all */
    uint32_t rank;                   /* of the pair with the next one */
} link;

/* A heap with its smallest entry first; an entry's children are BRANCHES * at + 1 and those behind it. */
static void sift_down(uint64_t *heap, int64_t size, int64_t at) {
    uint64_t moved = heap[at];
    for (int64_t child; (child = BRANCHES * at + 1) < size; at = child) {
        int64_t end = child + BRANCHES < size ? child + BRANCHES : size;
        for (int64_t i = child + 1; i < end; i++) child = heap[i] < heap[child] ? i : child;
        if (heap[child] >= moved) break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static void push(uint64_t *heap, int64_t *size, uint64_t entry) {
    int64_t at = (*size)++;
    for (; at && heap[(at - 1) / BRANCHES] > entry; at = (at - 1) / BRANCHES) heap[at] = heap[(at - 1) / BRANCHES];
    heap[at] = entry;
}

static inline uint32_t rank_of(const bpe_encoder *e, const link *links, uint32_t left, uint32_t count) {
    uint32_t right = links[left].next;
    return right == count ? NEVER : find_pair(e, links[left].symbol, links[right].symbol)->rank;
}

/* Merges symbols. heap: room for twice their number: a merge takes one entry at the least, and adds two at the most.

   An entry is the rank and the left index of a pair. It is out of date where that pair has another rank by now; where it
   has the same again, an entry like it is due at the same time. */
static void merge_many(const bpe_encoder *e, link *links, uint32_t count, uint64_t *heap) {
    int64_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        links[i].rank = rank_of(e, links, i, count);
        if (links[i].rank != NEVER) heap[size++] = (uint64_t)links[i].rank << 32 | i;
    }
    for (int64_t i = size / BRANCHES; size && i >= 0; i--) sift_down(heap, size, i);
    while (size) {
        uint32_t left = (uint32_t)heap[0], rank = (uint32_t)(heap[0] >> 32), right = links[left].next;
        heap[0] = heap[--size];
        sift_down(heap, size, 0);
        if (links[left].rank != rank) continue;
        links[left].symbol = find_pair(e, links[left].symbol, links[right].symbol)->merged;
        links[left].next = links[right].next;
        links[right].rank = NEVER;
        if (links[left].next < count) links[links[left].next].previous = left;
        for (uint32_t i = left ? links[left].previous : left; ; i = left) {
            links[i].rank = rank_of(e, links, i, count);
            if (links[i].rank != NEVER) push(heap, &size, (uint64_t)links[i].rank << 32 | i);
            if (i == left) break;
        }
    }
}

/* Encodes a unit of many characters, and returns the number of ids, or -1 for want of memory. */
static int64_t encode_many(const bpe_encoder *e, const uint8_t *text, int64_t size, uint32_t count, uint32_t *ids) {
    link *links = malloc((size_t)count * sizeof *links);
    uint64_t *heap = malloc((size_t)count * 2 * sizeof *heap);
    int64_t found = links && heap ? 0 : -1, at = 0;
    if (found == 0) {
        for (uint32_t i = 0; i < count; i++) {
            int64_t width = width_at(text + at, size - at);
            links[i] = (link){symbol_of(e, text + at, width), i - 1, i + 1, NEVER};
            at += width;
        }
        merge_many(e, links, count, heap);
        at = 0;
        for (uint32_t i = 0; i < count; i = links[i].next) {
            int64_t start = at;
            for (uint32_t n = i; n < links[i].next; n++) at += width_at(text + at, size - at);
            found += put(e, links[i].symbol, text + start, at - start, ids + found);
        }
    }
    free(links);
    free(heap);
    return found;
}

static int64_t encode_unit(const bpe_encoder *e, const uint8_t *text, int64_t size, uint32_t *ids) {
    int64_t count = 1;
    for (int64_t i = 1; i < size; i++) count += !is_inside(text[i]);
    if (count <= FEW) return encode_few(e, text, size, ids);
    return count <= INT32_MAX ? encode_many(e, text, size, (uint32_t)count, ids) : -1;
}

typedef struct {
    const uint8_t *text;
    int64_t size;
    uint64_t key[3], slot;     /* where size is KEY_BYTES at the most */
} unit;

/* Where the unit that a text begins with ends. */
static inline const uint8_t *end_of_unit(const bpe_encoder *e, const uint8_t *text, const uint8_t *end) {
    const uint8_t *at = text + 1;
    while (at < end && e->before[at[-1]] & e->after[*at]) at++;
    return at;
}

static inline void set_key(const bpe_encoder *e, unit *u, const uint8_t *end) {
    for (int64_t i = 0, size = u->size; i < 3; i++, size -= 8) {
        u->key[i] = 0;
        if (size <= 0) continue;
        if (end - u->text >= 8 * (i + 1)) {
            memcpy(&u->key[i], u->text + 8 * i, 8);
            if (size < 8) u->key[i] &= (1ULL << 8 * size) - 1;
        } else {
            memcpy(&u->key[i], u->text + 8 * i, (size_t)size);
        }
    }
    u->key[2] |= (uint64_t)u->size << 56;
    u->slot = mixed(u->key[0], u->key[1], u->key[2], e->mixers) >> (64 - e->row_bits);
    FETCH(&e->rows[u->slot]);
}

/* The unit's row, or the free one for it. */
static inline row *find_row(const bpe_encoder *e, const unit *u) {
    for (uint64_t slot = u->slot;; slot = (slot + 1) & ((1ULL << e->row_bits) - 1)) {
        row *r = &e->rows[slot];
        if (!r->key[2] || (r->key[0] == u->key[0] && r->key[1] == u->key[1] && r->key[2] == u->key[2])) return r;
    }
}

/* Keeps the ids of a unit; where there is no room nothing else is kept. */
static void keep(bpe_encoder *e, const unit *u, row *r, const uint32_t *ids, int64_t count) {
    if (2 * e->units >= 1ULL << e->row_bits || e->pooled + KEY_BYTES > e->pool_size) {
        memset(e->rows, 0, sizeof(row) << e->row_bits);
        e->units = e->pooled = 0;
        e->resets++;
        r = &e->rows[u->slot];
    }
    int fits = count <= INLINE_IDS;
    uint64_t kept = 0;
    for (int64_t i = 0; i < count && fits; i++) {
        fits = ids[i] < 1u << INLINE_BITS;
        kept |= (uint64_t)ids[i] << INLINE_BITS * i;
    }
    if (!fits) {
        kept = e->pooled;
        memcpy(e->pool + e->pooled, ids, (size_t)count * sizeof *ids);
        e->pooled += (uint64_t)count;
    }
    memcpy(r->key, u->key, sizeof r->key);
    r->value = kept << 8 | (uint64_t)!fits << 7 | (uint64_t)count;
    e->units++;
}

/* Writes the ids of a row, and INLINE_IDS at the least, and returns how many there are. */
static inline int64_t kept_ids(const bpe_encoder *e, uint64_t value, uint32_t *ids) {
    int64_t count = value & 0x7F;
    if (value & 0x80) {
        memcpy(ids, e->pool + (value >> 8), (size_t)count * sizeof *ids);
    } else {
        for (int64_t i = 0; i < INLINE_IDS; i++) ids[i] = value >> (8 + INLINE_BITS * i) & ((1u << INLINE_BITS) - 1);
    }
    return count;
}

/* Encodes a text of UTF-8, U+2581 written as a space. ids: room for one a byte, and INLINE_IDS more. Returns how many
   there are, or -1 for want of memory. */
int64_t bpe_encode(bpe_encoder *e, const uint8_t *text, int64_t size, uint32_t *ids) {
    const uint8_t *end = text + size;
    unit units[AHEAD];
    int64_t count = 0;
    while (text < end) {
        int64_t ahead = 0;
        for (; ahead < AHEAD && text < end; ahead++) {
            unit *u = &units[ahead];
            u->text = text;
            text = end_of_unit(e, text, end);
            u->size = text - u->text;
            if (u->size <= KEY_BYTES) set_key(e, u, end);
        }
        for (unit *u = units; u < units + ahead; u++) {
            row *r = u->size <= KEY_BYTES ? find_row(e, u) : 0;
            if (r && r->key[2]) {
                count += kept_ids(e, r->value, ids + count);
                continue;
            }
            int64_t found = encode_unit(e, u->text, u->size, ids + count);
            if (found < 0) return -1;
            if (r) keep(e, u, r, ids + count, found);
            count += found;
        }
    }
    return count;
}
