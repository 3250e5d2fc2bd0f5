import sys, time, torch, os
from diffusers import UNet2DConditionModel
torch.set_num_threads(1)
def build(ch, depth, hidden=128, heads=64, layers=1, types=None, g=16, sample=12, mid=None):
    n=len(ch); types=types or ("CrossAttnDownBlock2D",)*n
    up=tuple("CrossAttnUpBlock2D" if t.startswith("Cross") else "UpBlock2D" for t in reversed(types))
    return UNet2DConditionModel(sample_size=sample, in_channels=4, out_channels=4, block_out_channels=ch, layers_per_block=layers, down_block_types=types, up_block_types=up,
        mid_block_type="UNetMidBlock2DCrossAttn", attention_head_dim=tuple(max(1,c//heads) for c in ch), cross_attention_dim=hidden, transformer_layers_per_block=depth, use_linear_projection=True, norm_num_groups=g,
        encoder_hid_dim=hidden, encoder_hid_dim_type="text_proj", addition_embed_type="text_time", addition_time_embed_dim=32, projection_class_embeddings_input_dim=hidden+192)
C="CrossAttnDownBlock2D"; D="DownBlock2D"
if __name__=="__main__":
    B=30
    for ch,depth,types,tok in [((64,128,128),1,None,24),((64,128,128),1,(D,C,C),24),((64,160),(1,2),None,24),((64,192),(1,2),(D,C),24),((64,128,192),(1,1,2),(D,C,C),24),((96,192),(1,1),(C,C),24),((64,192,256),(1,1,1),(D,C,C),24),((128,256),(1,1),(D,C),24)]:
        u=build(ch,depth,types=types).to(memory_format=torch.channels_last)
        x=torch.randn(B,4,12,12).to(memory_format=torch.channels_last); e=torch.randn(B,tok,128); p=torch.randn(B,128); tid=torch.zeros(B,6); t0=torch.randint(0,1000,(B,))
        for _ in range(3):
            t=time.process_time(); y=u(x,t0,e,added_cond_kwargs={"text_embeds":p,"time_ids":tid}).sample; y.square().mean().backward(); t2=time.process_time()-t
        with torch.no_grad():
            for _ in range(2):
                t=time.process_time(); u(x[:2],t0[:2],e[:2],added_cond_kwargs={"text_embeds":p[:2],"time_ids":tid[:2]}); t1=time.process_time()-t
        print(ch,depth,types and [s[0] for s in types], f"{sum(p.numel() for p in u.parameters())/1e6:.1f}M, {B/t2:.1f} pics/cpu s, step cfg {t1*1000:.1f} ms -> 20 steps {t1*20:.2f}s", flush=True)
