#!/usr/bin/env bash
# gwflux predict --weights on grids of any kind, as a user calls it: cells in one or two dimensions
# against the same fields remapped elsewhere. Arguments as for test_predict.sh.
set -u
gwflux=$1 source=$2 programs=$3
golden=$source/tests/golden
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
predict() { "$gwflux" predict -m unet.nc "$@"; }
make() { "$programs/make_reanalysis" "$@"; }
cells() { "$programs/make_cells" "$@"; }
compare() { "$programs/compare_fluxes" "$@"; }
skip() { echo "skipped: $*"; }

"$gwflux" import "$golden/unet.pt" -o unet.nc --features uvtheta > /dev/null 2>&1

# --- the same fields, remapped by another program -------------------------------------------------
make rows.nc --grid 48x128
for form in weights cell_weights remapped cells columns bare shifted curved; do
    works "made: $form" cells rows.nc $form.nc $form
done
works "remapped elsewhere" predict -i remapped.nc -o truth.nc
# The sums are the same; a compiler may round them otherwise.
same() { # same WHAT INPUT WEIGHTS
    works "$1" predict -i "$2" --weights "$3" -o same.nc --overwrite
    works "$1: the same" compare same.nc 0 truth.nc 0 2 1e-6 uw vw ps
}
same "latitudes times longitudes" rows.nc weights.nc
same "cells in one dimension" cells.nc cell_weights.nc
holds "their places are known" test "$(grep -c "no latitudes and longitudes" err)" -eq 0
same "levels last, places in radians" columns.nc cell_weights.nc
same "two dimensions" curved.nc cell_weights.nc
works "without places" predict -i bare.nc --weights cell_weights.nc -o bare_out.nc
says "is told" "bare.nc: no latitudes and longitudes of its cells" err
works "without places: the same" compare bare_out.nc 0 truth.nc 0 2 1e-6 uw vw ps
works "provenance" ncdump -h same.nc
says "names the weights" "weights cell_weights.nc" out
works "prepare" "$gwflux" prepare -m unet.nc -i cells.nc --weights cell_weights.nc -o features.nc
works "and predict" predict -i features.nc -o again.nc
works "the same" compare again.nc 0 truth.nc 0 2 1e-5 uw vw

# --- orography ------------------------------------------------------------------------------------
make dry_rows.nc --grid 48x128 --fields u,v,t
make hills_rows.nc --grid 48x128 --fields z --steps 1
for file in dry hills; do
    cells ${file}_rows.nc ${file}_cells.nc cells
    cells ${file}_rows.nc ${file}_remapped.nc remapped
done
works "orography remapped elsewhere" predict -i dry_remapped.nc --orography hills_remapped.nc -o dry.nc
hills() { # hills WHAT OROGRAPHY
    works "orography $1" predict -i dry_cells.nc --weights cell_weights.nc --orography "$2" \
        -o hills.nc --overwrite
}
hills "on the same cells" hills_cells.nc
works "the same" compare hills.nc 0 dry.nc 0 2 1e-6 uw vw ps
hills "on the model's grid" hills_remapped.nc
works "the same" compare hills.nc 0 dry.nc 0 2 1e-6 uw vw ps
works "orography on latitudes times longitudes" predict -i dry_remapped.nc \
    --orography hills_rows.nc -o dry_rows_out.nc
hills "on latitudes times longitudes" hills_rows.nc
works "the same" compare hills.nc 0 dry_rows_out.nc 0 2 1e-6 uw vw ps
works "the input's own, on its cells" cells hills_rows.nc own.nc cells
works "is found" predict -i dry_cells.nc -i own.nc --weights cell_weights.nc -o own_out.nc
works "the same" compare own_out.nc 0 dry.nc 0 2 1e-6 uw vw ps

# --- what is refused ------------------------------------------------------------------------------
fails "cells without weights" 1 "cells.nc: variable" predict -i cells.nc -o x.nc
says "says how" "dimension cell has length 6144" err
fails "weights of another order" 1 \
    "rows.nc: source cell 1 is at latitude 90, longitude 2.8125, in the weights at 17.234, 157.5" \
    predict -i rows.nc --weights cell_weights.nc -o x.nc
fails "places of another order" 1 "shifted.nc: source cell 1 is at latitude 90, longitude 2.8125" \
    predict -i shifted.nc --weights cell_weights.nc -o x.nc
make small.nc --grid 33x128 --fields u,v,t,sp,z
cells small.nc small_cells.nc cells
fails "another number of cells" 1 "small_cells.nc: variable u: 4224 cells (cell), expected 6144" \
    predict -i small_cells.nc --weights cell_weights.nc -o x.nc
fails "an orography on other cells" 1 "small_cells.nc: variable z: 4224 cells (cell)" predict -i dry_cells.nc \
    --weights cell_weights.nc --orography small_cells.nc -o x.nc
fails "the input's grid" 2 "option grid: with --weights the input is 6144 cells in any places" \
    predict -i cells.nc --weights cell_weights.nc -o x.nc --grid input
fails "no weights" 1 "cells.nc: no remapping weights" \
    predict -i cells.nc --weights cells.nc -o x.nc
holds "nothing is left" test ! -e x.nc -a ! -e x.nc.part

# --- CDO's grids and weights ----------------------------------------------------------------------
# An icosahedral grid; wind 0, which CDO does not take along great circles.
if command -v cdo > /dev/null; then
    make smooth.nc --grid 48x128
    cdo -s griddes remapped.nc > model.grid 2> /dev/null
    works "an icosahedral grid" cdo -s -f nc4 -setgridtype,unstructured -remapbil,gme32 \
        -expr,'u=0*u;v=0*v;t=t;sp=sp' smooth.nc gme.nc
    works "CDO's weights" cdo -s genycon,model.grid gme.nc gme_weights.nc
    works "remapped by CDO" cdo -s -f nc4 "remap,model.grid,gme_weights.nc" gme.nc gme_remapped.nc
    works "from the icosahedral grid" predict -i gme.nc --weights gme_weights.nc -o gme_out.nc
    works "from CDO's" predict -i gme_remapped.nc -o gme_truth.nc
    works "the same within 1e-5" compare gme_out.nc 0 gme_truth.nc 0 2 1e-5 uw vw ps
else
    skip "CDO's weights: no cdo"
fi
finish
