"""The LLaST model: speech encoder, MLP adaptor, causal LM (arXiv 2407.15415, section 3)."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSpeechSeq2Seq,
    BitsAndBytesConfig,
    GenerationConfig,
    GenerationMixin,
    PreTrainedModel,
)
from transformers.utils import ModelOutput, is_bitsandbytes_available

from llast.config.steps import TrainSpec
from llast.errors import ConfigError
from llast.model.adaptor import Adaptor, stacked
from llast.model.bases import base_folder, config_without_dropout, folder_of
from llast.model.branches import logits_alone, read_branches
from llast.model.configuration import LlastConfig, model_options
from llast.model.encoders.base import load_encoder, speech_encoder
from llast.model.layout import audio_layout
from llast.model.limits import check_vocabulary
from llast.model.loss import target_loss
from llast.model.processing import LlastProcessor
from llast.model.weights import load_whole

DTYPES = {"bf16": torch.bfloat16, "float32": torch.float32}
"""Dtypes by their name in an experiment (`training.precision`)."""


@dataclass
class LlastOutput(ModelOutput):
    """Result of a training forward pass.

    Attributes:
        loss: scalar float32, cross-entropy summed over all target tokens.
        target_tokens: how many target tokens there were.
    """

    loss: torch.Tensor | None = None
    target_tokens: int | None = None


class LlastForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """Speech in, text out.

    `from_bases` builds one on frozen bases for training, adapters are added by `llast.model.lora`. `from_pretrained`
    loads an exported folder or a repository of the hub, one that holds adapters only included.
    """

    config_class = LlastConfig
    config: LlastConfig
    main_input_name = "samples"
    _supports_sdpa = True
    supports_gradient_checkpointing = True

    def __init__(
        self, config: LlastConfig, encoder: PreTrainedModel | None = None, llm: PreTrainedModel | None = None
    ) -> None:
        super().__init__(config)
        self.speech = speech_encoder(config.encoder_config, "encoder_config")
        self.encoder: Any = encoder if encoder is not None else self.speech.new(config.encoder_config)
        self.llm: Any = llm if llm is not None else AutoModelForCausalLM.from_config(config.llm_config)
        self.adaptor = Adaptor(config.encoder_config.hidden_size, config.llm_config.hidden_size, config.stack)
        self.packs_rows = True  # False: the LLM has to see every row alone, see llast.training.packing
        if encoder is None:
            self.post_init()

    @classmethod
    def from_bases(
        cls,
        encoder: Path,
        llm: Path,
        window: str,
        stack: int,
        template: str,
        dtype: torch.dtype,
        load_in_4bit: bool = False,
    ) -> "LlastForConditionalGeneration":
        """A model on the weights of two Hugging Face folders, frozen, with a fresh adaptor.

        Raises:
            ConfigError: the encoder is of no use here, the window does not fit it, or 4 bit without a GPU.
            DataError: files are missing or broken, weights missing or not finite, or the tokenizer is not the LLM's.
        """
        speech = load_encoder(encoder, window, dtype)
        text = _load_llm(llm, dtype, load_in_4bit)
        speech.requires_grad_(False)
        text.requires_grad_(False)
        config = LlastConfig.from_bases(
            encoder, llm, window=window, stack=stack, template=template, load_in_4bit=load_in_4bit
        )
        model = cls(config, speech, text)
        model.is_loaded_in_4bit = load_in_4bit  # type: ignore[assignment]  # peft asks the whole model for it
        model.adaptor.to(device=text.device, dtype=dtype)
        processor = LlastProcessor.from_llm(llm, template)
        check_vocabulary(processor, text, llm)
        model.generation_config = GenerationConfig(
            eos_token_id=processor.ends, pad_token_id=processor.eos, max_new_tokens=256
        )
        text.generation_config = GenerationConfig()  # chat models bring a sampling and a repetition penalty
        return model

    @classmethod
    def from_spec(
        cls, spec: TrainSpec, encoder: Path, llm: Path, load_in_4bit: bool | None = None
    ) -> "LlastForConditionalGeneration":
        """The model that an experiment trains, on the weights of two folders.

        Args:
            spec: of the experiment.
            encoder: folder of its base encoder.
            llm: folder of its base LLM.
            load_in_4bit: whether the LLM is held in NF4; None: as the experiment says.

        Raises:
            ConfigError: as `from_bases`.
        """
        options = model_options(spec)
        if load_in_4bit is not None:
            options["load_in_4bit"] = load_in_4bit
        return cls.from_bases(encoder, llm, dtype=DTYPES[spec.training.precision], **options)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, name: str | Path, *args: Any, revision: str = "main", **kwargs: Any
    ) -> "LlastForConditionalGeneration":
        """Load a folder that `save_pretrained` or `llast export` wrote, or such a repository of the hub.

        One that holds adapters only names its bases in `config.json`; they are looked for in `resources/models`,
        then on the hub. `dtype` is that of the weights, by default the one that was saved. Other keywords are as for
        every model of transformers; a folder of adapters heeds `dtype` and `revision` only.
        """
        config: Any = kwargs.get("config") or LlastConfig.from_pretrained(name, revision=revision)
        if config.bases is None:
            whole: LlastForConditionalGeneration = load_whole(
                super().from_pretrained, name, *args, revision=revision, **kwargs
            )
            return whole
        from llast.model.lora import load_adapters  # peft, which takes a second to import

        folder = folder_of(name, revision)
        dtype = kwargs.get("dtype")
        dtype = getattr(torch, dtype) if isinstance(dtype, str) and dtype != "auto" else dtype
        model = cls.from_bases(
            base_folder(config.bases["encoder"]),
            base_folder(config.bases["llm"]),
            window=config.window,
            stack=config.stack,
            template=config.template,
            dtype=config.dtype if dtype in (None, "auto") else dtype,
            load_in_4bit=config.load_in_4bit,
        )
        return load_adapters(model, folder / "adapter").eval()

    def train(self, mode: bool = True) -> "LlastForConditionalGeneration":
        """Training mode, except for a frozen batch norm: its statistics are not those of our batches."""
        super().train(mode)
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()
        return self

    def embed_audio(self, samples: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """What the LLM reads in place of the audio, a clip a row.

        Args:
            samples: (clips, samples) float, 16 kHz, zero-padded to the longest clip.
            positions: (clips,) encoder positions (20 ms) of each clip.

        Returns:
            (clips, longest, LLM width); a clip's own positions come first, what follows is of no use.
        """
        counts = positions.tolist()
        layout = {
            name: part.to(samples.device)
            for name, part in audio_layout(counts, self.config.stack, False).items()
        }
        own = self.speak(samples, positions, **layout)
        lengths = [stacked(count, self.config.stack) for count in counts]
        return nn.utils.rnn.pad_sequence(own.split(lengths), batch_first=True)

    def speak(
        self,
        samples: torch.Tensor,
        positions: torch.Tensor,
        frames: torch.Tensor,
        speech_from: torch.Tensor,
    ) -> torch.Tensor:
        """What the LLM reads in place of the audio, clip after clip.

        Args:
            samples: (clips, samples) float, 16 kHz, zero-padded to the longest clip.
            positions: (clips,) encoder positions (20 ms) of each clip.
            frames: (sequences, length) where they lie, see `llast.model.layout.audio_layout`.
            speech_from: (LLM positions x stack,) which of them the LLM reads.

        Returns:
            (LLM positions, LLM width).
        """
        full = self.config.stack == 1
        hidden = self.speech.encode_own(
            self.encoder,
            samples,
            positions,
            frames,
            speech_from if full else speech_from.clamp(min=0),
            self.config.window,
            self.config.normalize,
        )
        speech: torch.Tensor = self.adaptor(hidden if full else hidden * (speech_from >= 0)[:, None])
        return speech

    def forward(
        self,
        samples: torch.Tensor,
        positions: torch.Tensor,
        frames: torch.Tensor,
        speech_from: torch.Tensor,
        speech_at: torch.Tensor,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor,
        clip: torch.Tensor,
        branch: torch.Tensor,
        labels: torch.Tensor,
        labels_at: torch.Tensor,
        **_: Any,
    ) -> LlastOutput:
        """Summed loss of clips with all their rows.

        A clip is the text before the audio, the audio, then one branch per row (prompt and target). Every
        branch sees the shared start and itself, at the positions it would have alone, so losses and gradients equal
        those of separate rows; a sequence may hold several clips. Logits are computed at target positions only. With
        `packs_rows` false, a sequence has one row and goes through the LLM's own forward pass.

        Args:
            samples: (clips, samples) float, 16 kHz, zero-padded to the longest clip.
            positions: (clips,) encoder positions of each clip.
            frames: (encoder sequences, length) where these lie, see `llast.model.layout.audio_layout`.
            speech_from: (audio positions x stack,) which of them each of the LLM's audio positions is made of.
            speech_at: (audio positions,) where these stand, counted through (sequences, length).
            input_ids: (sequences, length) token ids; any id where the audio stands.
            position_ids: (sequences, length), of each clip from 0.
            clip: (sequences, length) ascending number of the clip, -1 for padding.
            branch: (sequences, length) 0 for the shared start of a clip, 1.. for its rows.
            labels: (targets,) ids of all target tokens.
            labels_at: (targets,) where the token before each stands, counted through (sequences, length).
        """
        embeddings = self.llm.get_input_embeddings()(input_ids)
        speech = self.speak(samples, positions, frames, speech_from).to(embeddings.dtype)
        embeddings = embeddings.flatten(0, 1).index_copy(0, speech_at, speech).view_as(embeddings)
        if self.packs_rows:
            hidden = read_branches(self.llm, embeddings, clip, branch, position_ids)
            loss = target_loss(self.llm, hidden.flatten(0, 1).index_select(0, labels_at), labels)
        else:
            logits = logits_alone(self.llm, embeddings, clip >= 0, labels_at)
            loss = nn.functional.cross_entropy(logits, labels, reduction="sum")
        return LlastOutput(loss=loss, target_tokens=len(labels))

    @torch.no_grad()
    def generate(  # type: ignore[override]
        self,
        samples: torch.Tensor,
        positions: torch.Tensor,
        clip: torch.Tensor,
        before: list[torch.Tensor],
        after: list[torch.Tensor],
        **generation: Any,
    ) -> torch.Tensor:
        """Generate the target of each row; each clip is encoded once. `LlastProcessor` makes these arguments.

        Args:
            samples: (clips, samples) float, 16 kHz, zero-padded.
            positions: (clips,) encoder positions of each clip.
            clip: (rows,) index of each row's clip.
            before: per row, token ids before the audio, BOS included.
            after: per row, token ids after the audio.
            generation: options of the LLM's `generate` (num_beams, max_new_tokens, ...) over `generation_config`.

        Returns:
            (rows, new tokens) ids of the generated text only.
        """
        embed: nn.Embedding = self.llm.get_input_embeddings()
        device, dtype = embed.weight.device, embed.weight.dtype
        speech = self.embed_audio(samples.to(device), positions.to(device))
        sequences = []
        for row, index in enumerate(clip.tolist()):
            own = speech[index, : stacked(int(positions[index]), self.config.stack)].to(dtype)
            sequences.append(torch.cat([embed(before[row].to(device)), own, embed(after[row].to(device))]))
        longest = max(len(sequence) for sequence in sequences)
        mask = torch.zeros(len(sequences), longest, dtype=torch.long, device=speech.device)
        inputs = sequences[0].new_zeros(len(sequences), longest, sequences[0].shape[1])
        for row, sequence in enumerate(sequences):
            inputs[row, longest - len(sequence) :] = sequence
            mask[row, longest - len(sequence) :] = 1
        options = copy.deepcopy(self.generation_config)
        others = options.update(**generation)
        output: torch.Tensor = self.llm.generate(
            inputs_embeds=inputs, attention_mask=mask, generation_config=options, **others
        )
        return output


def _load_llm(folder: Path, dtype: torch.dtype, load_in_4bit: bool) -> Any:
    """A causal LM; in 4 bit on this process's GPU."""
    if not load_in_4bit:
        return load_whole(
            AutoModelForCausalLM.from_pretrained, folder, config=config_without_dropout(folder), dtype=dtype
        )
    if not torch.cuda.is_available():
        raise ConfigError(
            "llm.load_in_4bit needs an NVIDIA GPU, and there is none here. Run it on a GPU node, or leave the key out."
        )
    if not is_bitsandbytes_available():
        raise ConfigError("llm.load_in_4bit needs the package bitsandbytes: pip install 'llast[gpu]'.")
    return _load_4bit(folder, dtype, torch.cuda.current_device())


def _load_4bit(folder: Path, dtype: torch.dtype, device: int | str) -> Any:
    """A causal LM as the released code holds it: NF4 with double quantisation."""
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return load_whole(
        AutoModelForCausalLM.from_pretrained,
        folder,
        config=config_without_dropout(folder),
        dtype=dtype,
        quantization_config=quantization,
        device_map={"": device},
    )


AutoModel.register(LlastConfig, LlastForConditionalGeneration)
AutoModelForSpeechSeq2Seq.register(LlastConfig, LlastForConditionalGeneration)
