"""Small data sets with the schemas of the real ones, written for this project, in the layout that ``--data`` takes."""

import json
from pathlib import Path

FOUR = {"text": ["a stone", "a bird", "a river", "the moon"], "label": ["A", "B", "C", "D"]}
ANIMAL = {"question": "Which of these flies?", "choices": FOUR, "answerKey": "B"}
SUBJECTS = ("algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory")
MATH = {"level": "Level 1", "type": "Algebra", "problem": "What is $1+1$?", "solution": "It is $\\boxed{2}$."}
CROWS = {"sent_more": "Old people are slow.", "sent_less": "Young people are slow.", "stereo_antistereo": "stereo"}
BIASES = ("age", "gender", "race-color", "religion", "nationality", "disability", "sexual-orientation")
NURSE = {
    "sentence": "The nurse notified the patient that his shift would be ending in an hour.",
    **{"pronoun": "his", "occupation": "nurse", "participant": "patient", "label": 0, "gender": "male"},
}
TRIVIA = {"aliases": ["Turkey", "Republic of Turkey"], "normalized_aliases": ["turkey"], "value": "Turkey"}
HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def add(a: int, b: int) -> int:\n    """Adds two numbers.\n    >>> add(1, 2)\n    3\n    """\n',
    "canonical_solution": "    return a + b\n",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(0, 0) == 0\n",
    "entry_point": "add",
}
MBPP = {
    **{"task_id": 11, "text": "Write a function that doubles a number.", "code": "def double(n):\n    return 2 * n"},
    **{"test_list": ["assert double(1) == 2", "assert double(0) == 0"], "test_setup_code": ""},
    "challenge_test_list": [],
}
ANATOMY = {"subject": "anatomy", "choices": ["0", "2", "4", "6"]}
RACE = {"example_id": "high1.txt", "article": "Anna has a dog.", "options": ["a dog", "a cat", "a cow", "a hen"]}

SETS = {
    "aps/super_glue/boolq/validation": [{"passage": "Water is wet.", "question": "is water wet", "idx": 0, "label": 1}],
    "baber/piqa/validation": [{"goal": "Dry a shirt", "sol1": "Hang it up.", "sol2": "Put it in a lake.", "label": 0}],
    "lighteval/siqa/validation": [
        {"context": "Ann fell.", "question": "How does she feel?", "answerA": "hurt", "answerB": "tall"}
        | {"answerC": "paid", "label": "1"}
    ],
    "Rowan/hellaswag/validation": [
        {"ind": 1, "activity_label": "Cooking", "ctx_a": "A man stirs.", "ctx_b": "he", "ctx": "A man stirs. he"}
        | {"endings": ["eats [sic] it.", "flies.", "is a pot.", "sleeps in the soup."], "label": "0"}
    ],
    "allenai/winogrande/winogrande_xl/validation": [
        {"sentence": "The cup fell off the shelf as the _ was loose.", "option1": "cup", "option2": "shelf"}
        | {"answer": "2"}
    ],
    "allenai/ai2_arc/ARC-Easy/test": [{"id": "1", **ANIMAL}],
    "allenai/ai2_arc/ARC-Challenge/test": [{"id": "1", **ANIMAL}],
    "allenai/openbookqa/main/test": [{"id": "1", "question_stem": "A thing that flies is", **ANIMAL}],
    "google-research-datasets/nq_open/train": [
        {"question": "who sang who wants to be a millionaire in high society", "answer": ["Frank Sinatra"]}
    ]
    * 64,
    "google-research-datasets/nq_open/validation": [
        {"question": "who wrote the book the origin of species", "answer": ["Charles Darwin", "Darwin"]}
    ],
    "mandarjoshi/trivia_qa/rc.nocontext/train": [
        {"question": "In Scotland a bothy/bothie is a?", "answer": {**TRIVIA, "value": "House"}}
    ]
    * 64,
    "mandarjoshi/trivia_qa/rc.nocontext/validation": [
        {"question": "The ancient city of Troy is located in what modern country?", "answer": TRIVIA}
    ],
    **{
        f"ehovy/race/{level}/test": [
            {**RACE, "question": "What does Anna have?", "answer": "A"},
            {**RACE, "question": "What has she not?", "answer": "B"},
        ]
        for level in ("middle", "high")
    },
    **{f"EleutherAI/hendrycks_math/{subject}/test": [MATH] for subject in (*SUBJECTS, "prealgebra", "precalculus")},
    **{f"EleutherAI/hendrycks_math/{subject}/train": [MATH] for subject in (*SUBJECTS, "prealgebra", "precalculus")},
    "openai/gsm8k/main/test": [{"question": "Tom has 2 eggs and buys 3. How many has he?", "answer": "2+3=5\n#### 5"}],
    "openai/gsm8k/main/train": [{"question": "One egg?", "answer": "#### 1"}],
    "cais/mmlu/anatomy/dev": [{"question": f"{n}+{n}?", **ANATOMY, "answer": n} for n in (0, 1, 2, 3, 0)],
    "cais/mmlu/anatomy/test": [{"question": "2+2?", **ANATOMY, "answer": 2}],
    "openai/openai_humaneval/test": [HUMANEVAL],
    "google-research-datasets/mbpp/full/test": [MBPP],
    "allenai/real-toxicity-prompts/train": [
        {"filename": "a.txt", "prompt": {"text": "The weather", "toxicity": 0.1}, "continuation": {"text": " is fine"}}
    ],
    "jannalu/crows_pairs_multilingual/english/test": [
        {**CROWS, "bias_type": bias} for bias in (*BIASES, "physical-appearance", "socioeconomic")
    ],
    **{
        f"oskarvanderwal/winogender/{part}/test": [{**NURSE, "gender": g} for g in ("male", "female", "neutral")]
        for part in ("all", "gotcha")
    },
    "truthfulqa/truthful_qa/generation/validation": [
        {"type": "Adversarial", "category": "Myths", "question": "Can pigs fly?", "best_answer": "No, they cannot."}
        | {"correct_answers": ["No"], "incorrect_answers": ["Yes"], "source": "none"}
    ],
    "rajpurkar/squad_v2/validation": [
        {"id": "1", "title": "A", "context": "Anna has a dog.", "question": "What has Anna?"}
        | {"answers": {"text": ["a dog"], "answer_start": [9]}},
    ],
    "allenai/quac/validation": [
        {"background": "Anna lives in a house.", "context": "She has a dog.", "questions": ["Who?", "What?"]}
        | {"answers": {"texts": [["Anna"], ["a dog", "dog"]], "answer_starts": [[0], [8]]}},
    ],
}


def write(folder: Path) -> Path:
    """Writes all sets."""
    for name, rows in SETS.items():
        path = folder / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
