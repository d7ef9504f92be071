"""Checks of notebook 08 Architectures."""

from classroom.checks.verdict import Wrong, check, numbers


@check(
    "Set `in_gate` to the number of weights in the gate.",
    "4 for the skip, 3 for the signal, 2 to squeeze: next to nothing.",
)
def gate_count(in_gate):
    """08, warm-up: the weights in the gate of the smallest Attention U-Net, 9."""
    (found,) = numbers(in_gate, 1)
    hints = {
        4: "That is the convolution of the skip. The signal and the squeezing have weights, too.",
        7: "Without the biases. Both 1×1 convolutions have one; the 2×2 has none.",
        10: "One too many: the 2×2 convolution has no bias.",
    }
    if found > 100:
        raise Wrong("That is all of the network. Which of its layers does `gate` make?")
    if found != 9:
        other = "A gate has three convolutions: 2×2 on the skip, 1×1 on the signal, 1×1 to squeeze."
        raise Wrong(hints.get(found, other))


@check(
    "Set `reached` to the number of places where the answer is not 0.",
    "One weight is left, the middle one: it has become a 1×1 convolution.",
)
def far_sight(reached):
    """08, knob: how many places of 16×16 a bright one reaches at rate 24: 1."""
    (found,) = numbers(reached, 1)
    if found == 9:
        raise Wrong("Nine weights there are, but 24 places apart: how many fall on 16×16 places?")
    if found == 0:
        raise Wrong("The middle weight stands on the bright place itself, at any rate.")
    if found != 1:
        raise Wrong("Count with `np.count_nonzero(far(point))`. Where does the bright place show?")
