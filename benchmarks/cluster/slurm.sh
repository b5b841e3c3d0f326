#!/bin/bash
# A matrix on all nodes of a SLURM allocation:
#   sbatch --nodes=4 slurm.sh MATRIX.toml --store /shared/store [more options of mmbench run]
# The environment in which mmbench is installed is active, and lies in a shared folder.
#SBATCH --job-name=mmbench
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --exclusive

set -euo pipefail

port=${RAY_PORT:-6379}
cpus=${SLURM_CPUS_PER_TASK:-16}
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | awk 'NR == 1')
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}')
export RAY_ADDRESS="$address:$port" RAY_AUTH_MODE=token RAY_AUTH_TOKEN RAY_USAGE_STATS_ENABLED=0
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')

srun --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --block --head --node-ip-address="$address" --port="$port" --num-cpus="$cpus" &
until ray health-check --address "$RAY_ADDRESS" >/dev/null 2>&1; do sleep 2; done

others=$((SLURM_JOB_NUM_NODES - 1))
if ((others > 0)); then
    srun --nodes="$others" --ntasks="$others" --exclude="$head" \
        ray start --block --address="$RAY_ADDRESS" --num-cpus="$cpus" &
fi

# Nodes that come later get jobs, too. The tasks above end with this script.
srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" mmbench run "$@" --runner ray
