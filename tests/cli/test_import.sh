#!/usr/bin/env bash
# gwflux import, as a user calls it: what works and every error. Arguments: the command, the source
# folder, the folder of test programs.
set -u
gwflux=$1 source=$2 programs=$3
golden=$source/tests/golden
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
import() { "$gwflux" import "$@"; }

works "U-Net" import "$golden/unet.pt" -o unet.nc --features uvtheta
says "says what it made" "attention_unet, widths 4, 8, 12, 16, 24, 366 -> 244 channels" out
works "the file opens" ncdump -h unet.nc
says "ncdump shows the weights by their names" "float conv1.conv.0.weight(n4, n366, n3, n3)" out
says "and what it is" ':flux_kind = "rho_uw"' out
says "and where it came from" "unet.pt, SHA-256 $(sha256sum "$golden/unet.pt" | cut -c1-64)" out
works "periodic, other flux" import "$golden/unet.pt" -o p.nc --features uvtheta \
    --padding periodic_lon --flux-kind u_omega
works "3-D gates" import "$golden/unet_3d.pt" -o 3d.nc --features uvtheta
says "names them" "attention_unet_3d" out
works "ANN 1x1" import "$golden/ann_1x1.pt" -o 1x1.nc --features uvtheta --vertical stratosphere_update
works "ANN 3x3" import "$golden/ann_3x3.pt" -o 3x3.nc --features uvtheta --vertical stratosphere_only
says "spare normalisations are told and ignored" "bnorm1.weight is not used by the network" err
works "ANN 5x5" import "$golden/ann_5x5.pt" -o 5x5.nc --features uvtheta --vertical stratosphere_only
says "names it" "ann_5x5" out

works "bad checkpoints are made" "$programs/make_bad_checkpoints" . "$golden/unet.pt"
bad() { fails "$1" 1 "$2" import "$3" -o bad.nc --features uvtheta; }
bad "missing" "none.pt" none.pt
bad "a folder" "$scratch" "$scratch"
bad "empty" "empty.pt: " empty.pt
bad "not a zip" "text.pt: " text.pt
bad "truncated" "truncated.pt: " truncated.pt
bad "container of torch before 1.6" "old" "$golden/checkpoint_old_container.pt"
bad "TorchScript" "TorchScript" "$golden/checkpoint_torchscript.pt"
bad "opcode that no pickle has" "opcode" opcode.pt
holds "nothing was executed" test ! -e pwned
bad "memo bomb" "bomb.pt: " bomb.pt
bad "storage too short" "short.pt: " short.pt
bad "NaN weight" "nan.pt: " nan.pt
bad "no network of ours" "neither an Attention U-Net" "$golden/checkpoint_float32.pt"
holds "no output is left" test ! -e bad.nc
holds "no part of one is left" test ! -e bad.nc.part

fails "channels of another feature set" 1 \
    "the network has 366 input channels, features uvthetaw (vertical global) have 488" \
    import "$golden/unet.pt" -o bad.nc --features uvthetaw
fails "levels of another vertical" 1 "output channels" \
    import "$golden/unet.pt" -o bad.nc --features uvtheta --vertical stratosphere_update
fails "recipe without w" 1 "wxcbench" \
    import "$golden/unet.pt" -o bad.nc --features uvthetaw --recipe wxcbench
fails "existing output" 1 "unet.nc: exists" import "$golden/unet.pt" -o unet.nc --features uvtheta
works "overwrite" import "$golden/unet.pt" -o unet.nc --features uvtheta --overwrite
fails "unwritable output" 1 "/nowhere/x.nc" import "$golden/unet.pt" -o /nowhere/x.nc --features uvtheta
cp "$golden/unet.pt" own.pt
fails "the output is the checkpoint" 2 "own.pt: is the checkpoint" \
    import own.pt -o own.pt --features uvtheta --overwrite
holds "which stays" cmp own.pt "$golden/unet.pt"
fails "an output without a name" 2 "the name of the output is empty" \
    import own.pt -o "" --features uvtheta
fails "no features" 2 "option --features is missing" import "$golden/unet.pt" -o x.nc
fails "no checkpoint" 2 "CHECKPOINT is missing" import -o x.nc --features uvtheta
fails "unknown word" 2 "option features: expected uvtheta|uvthetaw|uvw, found uvt" \
    import "$golden/unet.pt" -o x.nc --features uvt
fails "unknown option" 2 "--colour: there is no such option" import "$golden/unet.pt" --colour
fails "twice" 2 "option output: given twice" import a -o b -o c --features uvw
fails "value missing" 2 "option output: a value is missing" import a -o
finish
