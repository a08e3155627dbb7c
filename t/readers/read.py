"""Reads exports as TRL, Axolotl and LLaMA-Factory do, by the recipes of EXPORT.md: see recipes.py, which calls this with
the Python of an environment that has them.

    read.py EXPORT.md DIRECTORY

The directory has openai.jsonl, trl-dpo.jsonl and trl-kto.jsonl. Prints JSON: by recipe, what each line became.
"""

import importlib.abc
import importlib.machinery
import json
import os
import re
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

os.environ.update(DISABLE_VERSION_CHECK="1", HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
import jq  # noqa: E402
import yaml  # noqa: E402
from datasets import load_dataset  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers, decoders  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

# Modules for training, which the code for datasets imports and does not call.
ABSENT = {"torch", "torchaudio", "torchvision", "peft", "accelerate"}
# What is read, as it is or put otherwise by the program of a recipe.
FILES = {"openai.jsonl": [None, "trl-sft", "llamafactory-sft"], "trl-dpo.jsonl": [None, "llamafactory-dpo"],
         "trl-kto.jsonl": [None, "axolotl-kto", "llamafactory-kto"]}
CHATML = ("{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in ABSENT else None

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__name__, module.__all__ = [], spec, spec.name, []
        return module

    def exec_module(self, module):
        pass


def tokenizer():
    """Bytes as tokens, and ChatML's template: enough to see what is learnt."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({token: n for n, token in enumerate(alphabet)}, []))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    outer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|pad|>",
                                    additional_special_tokens=["<|im_start|>"])
    outer.chat_template = CHATML
    return outer


def recipes(path):
    """The blocks of a document that are marked as recipes: {(name, kind): text}."""
    found = {}
    with open(path) as file:
        for name, kind, block in re.findall(r"<!-- recipe: (\S+) (\S+) -->\n\n((?:    .*\n)+)", file.read()):
            found[name, kind] = re.sub(r"(?m)^    ", "", block)
    return found


class Reader:
    def __init__(self, document, directory):
        self.recipes, self.directory, self.tokenizer = recipes(document), directory, tokenizer()
        self.read = set()
        # Now: the library asks what kind of PyTorch there is once there seems to be one.
        self.loaded = {(file, name): self.load(file, name) for file, names in FILES.items() for name in names}

    def recipe(self, name, kind):
        self.read.add((name, kind))
        return self.recipes[name, kind]

    def lines(self, file, name=None):
        return self.loaded[file, name]

    def load(self, file, name):
        """A file as the datasets library loads it, put otherwise by the jq program of a recipe."""
        path = "%s/%s" % (self.directory, file)
        if name:
            program = jq.compile(self.recipe(name, "jq"))
            with open(path) as source, open(self.directory + "/" + name + ".jsonl", "w") as target:
                for line in source:
                    target.writelines(json.dumps(out) + "\n" for out in program.input_text(line).all())
            path = target.name
        return load_dataset("json", data_files=path, split="train", cache_dir=self.directory + "/cache")

    def learnt(self, ids, labels):
        """What of the tokens is learnt, by runs."""
        runs, run = [], []
        for token, label in zip(ids, labels):
            if label >= 0:
                run.append(token)
            elif run:
                runs, run = runs + [run], []
        return [self.tokenizer.decode(run) for run in runs + [run] if run]

    # --- TRL ---

    def trl(self, file, name=None):
        from trl.data_utils import apply_chat_template, is_conversational
        lines = self.lines(file, name)
        assert is_conversational(lines[0])
        return [apply_chat_template(line, self.tokenizer) for line in lines]

    # --- Axolotl ---

    def axolotl_config(self, name):
        from axolotl.utils.dict import DictDefault
        config = DictDefault(yaml.safe_load(self.recipe(name, "yaml")))
        return config | DictDefault(sequence_len=100000, train_on_inputs=False, chat_template="tokenizer_default")

    def axolotl_sft(self):
        from axolotl.prompt_strategies.chat_template import load
        config = self.axolotl_config("axolotl-sft")
        strategy = load(self.tokenizer, config, ds_cfg=config.datasets[0])
        made = [strategy.tokenize_prompt(dict(line)) for line in self.lines("openai.jsonl")]
        return [{"text": self.tokenizer.decode(m["input_ids"]), "learnt": self.learnt(m["input_ids"], m["labels"])} for m in made]

    def axolotl_dpo(self):
        from axolotl.prompt_strategies.dpo import load
        config = self.axolotl_config("axolotl-dpo")
        transform, _ = load(config.datasets[0].type, config, dataset_idx=0)
        return [transform(dict(line), tokenizer=self.tokenizer) for line in self.lines("trl-dpo.jsonl")]

    def axolotl_kto(self):
        from axolotl.prompt_strategies.kto import load
        config = self.axolotl_config("axolotl-kto")
        transform = load(config.datasets[0].type, config, dataset_idx=0)
        return [transform(dict(line)) for line in self.lines("trl-kto.jsonl", "axolotl-kto")]

    # --- LLaMA-Factory ---

    def llamafactory(self, name, file, processor):
        from llamafactory.data.converter import get_dataset_converter
        from llamafactory.data.parser import get_dataset_list
        from llamafactory.data.template import TEMPLATES
        with open(self.directory + "/dataset_info.json", "w") as info:
            info.write("{" + self.recipe(name, "json") + "}")
        attributes = get_dataset_list(["uplift"], self.directory)[0]
        arguments = SimpleNamespace(cutoff_len=100000, mask_history=True, train_on_prompt=False, media_dir=self.directory)
        convert = get_dataset_converter(attributes.formatting, attributes, arguments)
        aligned = [convert(dict(line)) for line in self.lines(file, name)]
        batch = {key: [line[key] for line in aligned] for key in aligned[0]}
        made = processor(template=TEMPLATES["chatml"], tokenizer=self.tokenizer, processor=None,
                         data_args=arguments).preprocess_dataset(batch)
        return made

    def llamafactory_sft(self):
        from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
        made = self.llamafactory("llamafactory-sft", "openai.jsonl", SupervisedDatasetProcessor)
        return [{"text": self.tokenizer.decode(ids), "learnt": self.learnt(ids, labels)}
                for ids, labels in zip(made["input_ids"], made["labels"])]

    def llamafactory_dpo(self):
        from llamafactory.data.processor.pairwise import PairwiseDatasetProcessor
        made = self.llamafactory("llamafactory-dpo", "trl-dpo.jsonl", PairwiseDatasetProcessor)
        return [{"text": self.tokenizer.decode(chosen), "chosen": self.learnt(chosen, chosen_labels),
                 "rejected": self.learnt(rejected, rejected_labels)}
                for chosen, chosen_labels, rejected, rejected_labels in zip(
                    made["chosen_input_ids"], made["chosen_labels"], made["rejected_input_ids"], made["rejected_labels"])]

    def llamafactory_kto(self):
        from llamafactory.data.processor.feedback import FeedbackDatasetProcessor
        made = self.llamafactory("llamafactory-kto", "trl-kto.jsonl", FeedbackDatasetProcessor)
        return [{"text": self.tokenizer.decode(ids), "learnt": self.learnt(ids, labels), "label": label}
                for ids, labels, label in zip(made["input_ids"], made["labels"], made["kto_tags"])]


def main():
    reader = Reader(*sys.argv[1:])
    sys.meta_path.append(Absent())
    results = {
        "trl-sft": reader.trl("openai.jsonl", "trl-sft"), "trl-dpo": reader.trl("trl-dpo.jsonl"), "trl-kto": reader.trl("trl-kto.jsonl"),
        "axolotl-sft": reader.axolotl_sft(), "axolotl-dpo": reader.axolotl_dpo(), "axolotl-kto": reader.axolotl_kto(),
        "llamafactory-sft": reader.llamafactory_sft(), "llamafactory-dpo": reader.llamafactory_dpo(),
        "llamafactory-kto": reader.llamafactory_kto(),
        "not run": sorted("%s %s" % key for key in set(reader.recipes) - reader.read)}
    with open(sys.argv[2] + "/results.json", "w") as file:
        json.dump(results, file)


main()
