"""Taking people out of the state: what they searched before their erasure is found in the log of outcomes and subtracted, exactly; files,
checkpoints and fitted models follow. The kernel (streams.kernel.erased) counts nothing of theirs from then on."""
