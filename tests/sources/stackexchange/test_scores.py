from sources.stackexchange.posts import Post
from sources.stackexchange.recipe import PreferencesRecipe
from sources.stackexchange.scores import choose, rounded_log2, score_of
from tests.tables import results

ANY = PreferencesRecipe()


def post(number: int, votes: int | None) -> Post:
    return Post(number, 100 * number, f"<p>{number}</p>", votes, None, "CC BY-SA 4.0", None)


test_scores_are_those_of_askell_et_al = results(
    lambda case: score_of(*case),
    {
        (0, False): 0,
        (1, False): 1,
        (1, True): 2,
        (2, False): 2,  # log2(3) is 1.58
        (4, False): 2,
        (5, False): 3,
        (100, True): 8,
        (-1, False): -1,
        (-7, True): -1,
    },
)


def test_the_logarithm_is_exact():
    import math

    assert all(rounded_log2(n) == round(math.log2(n)) for n in range(1, 100_000))
    assert rounded_log2(1 << 200) == 200


def found(
    *votes: int | None, accepted: int | None = None, recipe: PreferencesRecipe = ANY
) -> list[tuple[int, int]] | str:
    answers = [post(number, count) for number, count in enumerate(votes, 1)]
    pairs = choose("a.example", 7, answers, accepted, recipe)
    return pairs if isinstance(pairs, str) else [(pair.better.post.id, pair.worse.post.id) for pair in pairs]


def test_the_better_answer_comes_first_and_like_ones_are_no_pair():
    assert found(0, 10) == [(2, 1)]
    assert found(10, 0) == [(1, 2)]
    assert found(3, 4, -2) == [(1, 3), (2, 3)]
    assert found(3, 3, accepted=2) == [(2, 1)]


def test_why_there_is_none():
    assert [found(), found(5), found(5, None), found(3, 4), found(0, 0, 0)] == [
        "no_answer",
        "one_answer",
        "one_answer",
        "like_scores",
        "like_scores",
    ]


def test_pairs_and_answers_are_drawn_by_a_hash():
    votes = [2**n for n in range(12)]
    assert len(found(*votes)) == 10
    assert found(*votes) == found(*votes)
    assert len(found(*votes, recipe=PreferencesRecipe(max_pairs=1000))) == 65  # 2 and 4 votes have one score
    few = PreferencesRecipe(max_pairs=1000, most_answers=3)
    assert len(found(*votes, recipe=few)) == 3
    assert set(found(*votes)) < set(found(*votes, recipe=PreferencesRecipe(max_pairs=1000)))
    assert len(found(*[1, 0] * 20_000)) == 10


def test_the_least_difference():
    assert found(0, 1, 100, recipe=PreferencesRecipe(min_difference=6)) == [(3, 1), (3, 2)]
    assert found(0, 1, 100, recipe=PreferencesRecipe(min_difference=7)) == [(3, 1)]
    assert found(0, 1, 100, recipe=PreferencesRecipe(min_difference=8)) == "like_scores"
