"""What each sampler does, one or two sentences for a learner; `samplers.explain_sampler` reads them."""

TEXTS = {
    "about_euler": {
        "zh": "最简单的一种：每一步沿着起点的方向走直线。一步问一次 UNet，一阶。",
        "en": "The simplest: each step goes straight on in the direction at its start. One look at the UNet a step, first order."},
    "about_euler_cfg_pp": {
        "zh": "euler 加 CFG++ 引导：朝引导后的图走，放回去的噪声却用不看提示词时的那一份，颜色不容易过头。cfg 用 1 左右（0.5 到 2），不要用 5。",
        "en": "euler with CFG++ guidance: it goes to the guided picture, but puts back the noise seen without the prompt, so colours "
              "do not burn. Use a cfg about 1 (0.5 to 2), not 5."},
    "about_euler_ancestral": {
        "zh": "ancestral：每一步多去掉一些噪声，再补上同样多的新噪声。步数变了，画的就是另一张图，不会停在一张上。",
        "en": "ancestral: each step takes away too much noise and adds as much that is new. With other steps it is another "
              "picture; it never settles on one."},
    "about_euler_ancestral_cfg_pp": {
        "zh": "euler_ancestral 加 CFG++ 引导：留下来的噪声用不看提示词时的那一份，其余是新的。cfg 用 1 左右。",
        "en": "euler_ancestral with CFG++ guidance: the noise that stays is the one seen without the prompt, the rest is new. "
              "Use a cfg about 1."},
    "about_heun": {
        "zh": "先试走一步，看终点的方向，再按两头方向的平均重走。一步问两次 UNet，二阶。",
        "en": "Tries a step, looks at the direction at its end, and goes again by the mean of both. Two looks a step, second order."},
    "about_heunpp2": {
        "zh": "heun 的延伸：向前试走两步，三个方向按 sigma 加权。一步问三次 UNet。",
        "en": "heun taken further: it tries two steps ahead and weighs three directions by their sigma. Three looks a step."},
    "about_exp_heun_2_x0": {
        "zh": "指数形式的 heun：先走到终点再看一次，认为预测的图（x0）在两头之间均匀变化，其余的积分算得完全准确。一步问两次，二阶，不加噪声。",
        "en": "heun in exponential form: it looks again at the end, takes the predicted picture (x0) to change evenly between, and "
              "integrates the rest exactly. Two looks a step, second order, no noise added."},
    "about_exp_heun_2_x0_sde": {
        "zh": "exp_heun_2_x0 的随机版（SDE）：每一步都换掉一部分噪声，第二次看的时候，这一步的新噪声已经加上了。",
        "en": "exp_heun_2_x0 with noise (SDE): each step renews part of it, and the second look already has the new noise of the step."},
    "about_dpm_2": {
        "zh": "先走到这一步的（几何）中点，再用中点的方向走完全程。一步问两次，二阶。",
        "en": "Goes to the (geometric) middle of the step, and takes the direction there for all of it. Two looks a step, second order."},
    "about_dpm_2_ancestral": {
        "zh": "dpm_2 加 ancestral：每一步多去一些噪声，再补新的。",
        "en": "dpm_2, ancestral: each step takes away too much noise and adds new."},
    "about_lms": {
        "zh": "记住最近四步的方向，用穿过它们的曲线往前推。一步只问一次，最高四阶。",
        "en": "Remembers the last four directions and goes on along the curve through them. One look a step, up to fourth order."},
    "about_dpm_fast": {
        "zh": "用三阶的大步子走，总共问 UNet 的次数等于步数；停在最后一个大于 0 的 sigma。适合很少的步数。",
        "en": "Goes in long steps of third order, looking as often as there are steps; it ends at the last sigma above 0. For few steps."},
    "about_dpm_adaptive": {
        "zh": "自己决定步长：误差大就缩短重走，误差小就加长。你填的步数不起作用，问 UNet 约 40 次。",
        "en": "Chooses its own steps: shorter and again where the error is large, longer where it is small. The steps you set do not "
              "count; about 40 looks."},
    "about_dpmpp_2s_ancestral": {
        "zh": "DPM-Solver++ 的单步二阶法（2S）：半路再看一次，然后加新噪声（ancestral）。一步问两次。",
        "en": "DPM-Solver++ in one step, second order (2S): looks again half way, then adds new noise (ancestral). Two looks a step."},
    "about_dpmpp_2s_ancestral_cfg_pp": {
        "zh": "dpmpp_2s_ancestral 加 CFG++ 引导：ComfyUI 的写法混用了两次看到的图，画面会偏平、对比偏弱，课程照样做。cfg 用 1 左右。",
        "en": "dpmpp_2s_ancestral with CFG++ guidance. ComfyUI mixes the pictures of both looks, which makes the result "
              "flatter, with less contrast; the course does the same. Use a cfg about 1."},
    "about_dpmpp_sde": {
        "zh": "随机版（SDE）的 DPM-Solver++：半路和终点都加新噪声，半路再看一次。一步问两次，细节多。",
        "en": "DPM-Solver++ for the SDE: new noise half way and at the end, with a look half way. Two looks a step, rich in detail."},
    "about_dpmpp_2m": {
        "zh": "DPM-Solver++ 的多步二阶法（2M）：用最近两次预测的图连成直线往前推。一步只问一次，配 karras 最常用。",
        "en": "DPM-Solver++ over several steps, second order (2M): goes on along the line through the last two predicted pictures. "
              "One look a step; with karras the usual choice."},
    "about_dpmpp_2m_cfg_pp": {
        "zh": "dpmpp_2m 加 CFG++ 引导：直线从上一步不看提示词的图连到这一步引导后的图。cfg 用 1 左右。",
        "en": "dpmpp_2m with CFG++ guidance: its line goes from the last picture without the prompt to the guided one of now. "
              "Use a cfg about 1."},
    "about_dpmpp_2m_sde": {
        "zh": "dpmpp_2m 的随机版：每一步加一点新噪声，噪声取自同一条布朗路径，所以步数多了会接近同一张图。",
        "en": "dpmpp_2m with noise: each step adds a little, all read off one Brownian path, so more steps come closer to one picture."},
    "about_dpmpp_2m_sde_heun": {
        "zh": "和 dpmpp_2m_sde 一样，只是那条直线的积分算得完全准确。",
        "en": "As dpmpp_2m_sde, with the line integrated exactly."},
    "about_dpmpp_3m_sde": {
        "zh": "dpmpp_2m_sde 的三阶版：用最近三次预测的图连成抛物线。步数要多一些（30 以上）才好。",
        "en": "dpmpp_2m_sde of third order: a parabola through the last three predicted pictures. It wants more steps (above 30)."},
    "about_ddpm": {
        "zh": "扩散模型最早的采样法：每一步按概率抽出下一张图，新噪声很多。步数少时不如别的。",
        "en": "The first way to sample a diffusion model: each next picture is drawn from its distribution, with much new noise. With few "
              "steps others are better."},
    "about_lcm": {
        "zh": "给 LCM 模型用的：一步跳到预测的图，再加上下一级的噪声。普通模型用它会发糊。",
        "en": "For LCM models: jumps to the predicted picture and adds the noise of the next level. Other models come out blurred."},
    "about_ipndm": {
        "zh": "记住最近四步的方向，按等长的步子给它们加权。一步只问一次。",
        "en": "Remembers the last four directions and weighs them as if all steps were equally long. One look a step."},
    "about_ipndm_v": {
        "zh": "ipndm 的变步长版：加权时考虑每一步的长短。",
        "en": "ipndm for unequal steps: the weights mind how long each was."},
    "about_deis": {
        "zh": "在扩散的「时间」里连曲线：用最近三步的方向，三阶。一步只问一次，步数少时也准。",
        "en": "Its curve runs in the diffusion's own time, through the last three directions; third order. One look a step, exact with few "
              "steps too."},
    "about_cfgpp_ud10_ab": {
        "zh": "ComfyUI 2026 年 8 月的实验，没有论文：euler_cfg_pp（CFG++ 引导）掺四分之一的二阶 Adams 法，最后一步按最近两次预测的图推到 sigma 0。"
              "步数再多也不会走到准确解。cfg 用 1 到 2；正好是 1 时，不再单看反向提示词。",
        "en": "An experiment of ComfyUI's of August 2026, without a paper: euler_cfg_pp (CFG++ guidance) with a quarter of Adams' second "
              "order, and a last step to where the last two predicted pictures point at sigma 0. More steps do not lead to the exact "
              "solution. Use a cfg of 1 to 2; at exactly 1 the negative prompt is not looked at."},
    "about_res_multistep": {
        "zh": "指数积分法：用最近两次预测的图，按 phi 函数加权，二阶。一步只问一次。",
        "en": "An exponential integrator: the last two predicted pictures, weighed by phi functions; second order. One look a step."},
    "about_res_multistep_cfg_pp": {
        "zh": "res_multistep 加 CFG++ 引导：从第二步起只给不看提示词的图加权。cfg 用 1 左右。",
        "en": "res_multistep with CFG++ guidance: from the second step on it weighs pictures without the prompt alone. Use a cfg about 1."},
    "about_res_multistep_ancestral": {
        "zh": "res_multistep 加 ancestral：每一步多去一些噪声，再补新的。",
        "en": "res_multistep, ancestral: each step takes away too much noise and adds new."},
    "about_res_multistep_ancestral_cfg_pp": {
        "zh": "res_multistep_ancestral 加 CFG++ 引导。cfg 用 1 左右。",
        "en": "res_multistep_ancestral with CFG++ guidance. Use a cfg about 1."},
    "about_gradient_estimation": {
        "zh": "euler 的改进：把方向最近一次的变化再加一遍。一步只问一次。",
        "en": "euler improved: it adds the last change of the direction once more. One look a step."},
    "about_gradient_estimation_cfg_pp": {
        "zh": "gradient_estimation 加 CFG++ 引导：方向和它的变化都用不看提示词的图来算。cfg 用 1 左右。",
        "en": "gradient_estimation with CFG++ guidance: direction and change are those of the picture without the prompt. Use a cfg about 1."},
    "about_er_sde": {
        "zh": "另一种随机方程（ER-SDE）的三阶解法：新噪声的多少由一个函数控制，比 ancestral 少。一步只问一次。",
        "en": "Third order for another random equation (ER-SDE): a function sets how much noise is new, less than with ancestral. One look "
              "a step."},
    "about_seeds_2": {
        "zh": "SEEDS：随机方程的指数解法。半路带着噪声再看一次，整步的噪声连成一条路径，不重复加。一步问两次。",
        "en": "SEEDS: an exponential solver for the SDE. It looks again half way, noise included, and the noise of the whole step is one "
              "path. Two looks a step."},
    "about_seeds_3": {
        "zh": "SEEDS 的三段版：在三分之一和三分之二处各再看一次。一步问三次，最慢。",
        "en": "SEEDS in three stages: it looks again at one third and at two thirds. Three looks a step: the slowest."},
    "about_sa_solver": {
        "zh": "SA-Solver：随机的 Adams 法。用最近三次预测的图往前推，再用四次的来校正；只在中间一段加噪声，头尾不加。一步只问一次。",
        "en": "SA-Solver: Adams' method for the SDE. It predicts with the last three pictures and corrects with four; noise is added in the "
              "middle of the way alone. One look a step."},
    "about_sa_solver_pece": {
        "zh": "sa_solver 校正之后再看一次（预测、评估、校正、评估）。一步问两次。",
        "en": "sa_solver that looks again after each correction (predict, evaluate, correct, evaluate). Two looks a step."},
    "about_ddim": {
        "zh": "在 ComfyUI 里就是 euler，两个名字给出同一张图。",
        "en": "In ComfyUI this is euler: both names give one picture."},
    "about_uni_pc": {
        "zh": "UniPC：先预测一步，再用下一步反正要看的那一次来校正，三阶。步数少（10 左右）时很准。",
        "en": "UniPC: predicts a step and corrects it by the look that the next one needs anyway; third order. Very exact with few steps "
              "(about 10)."},
    "about_uni_pc_bh2": {
        "zh": "uni_pc 的另一种加权（B2）。",
        "en": "uni_pc with its other weights (B2)."},
    "about_gpu": {
        "zh": "（名字里的 gpu：ComfyUI 在显卡上抽噪声；课程总在 CPU 上抽，两个名字给出同一张图。）",
        "en": " (gpu in its name: ComfyUI draws the noise on the GPU. The course always draws it on the CPU, so both names give one picture.)"},
}
ERRORS: dict[str, dict[str, tuple[str, str, str]]] = {}
