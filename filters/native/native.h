/* What the inner loops share. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define FETCH(p) __builtin_prefetch(p)
#else
#define FETCH(p) ((void)(p))
#endif

#define MAX_ORDER 8

/* A model in KenLM's probing format: see ngrams.c. */
typedef struct {
    const uint8_t *words;      /* {uint64 hash, uint32 number} a bucket */
    uint64_t word_buckets;
    uint64_t word_count;       /* numbers are below this */
    const uint8_t *unigrams;   /* {float probability, float back-off} a word */
    uint64_t order;
    const uint8_t *tables[MAX_ORDER];  /* from bigrams on: {uint64 hash, float probability, float back-off} a bucket; */
    uint64_t buckets[MAX_ORDER];       /* the longest have no back-off */
    uint32_t begin, end;       /* numbers of <s> and </s> */
} ngram_model;

uint32_t ngram_word(const ngram_model *m, const uint8_t *word, int64_t size);
float ngram_score(const ngram_model *m, uint32_t *words, int64_t count);

/* ASCII white space, as bytes.split has it. */
static inline int is_space(uint8_t c) { return c == ' ' || (c >= 9 && c <= 13); }
