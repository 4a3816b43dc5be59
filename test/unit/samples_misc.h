// Texts of /proc/PID/timers and limits as Linux 6.18 printed them for one program made to hold one of everything
// (shortened where it repeats).
#pragma once

namespace samples {

inline constexpr char timers[] = R"TEXT(ID: 3
signal: 14/0000000000000000
notify: signal/pid.18077
ClockID: -6
ID: 2
signal: 35/00007fff86e452a8
notify: none/pid.18077
ClockID: 7
ID: 1
signal: 35/00007fff86e452a8
notify: signal/tid.18077
ClockID: 0
ID: 0
signal: 35/00007fff86e452a8
notify: signal/pid.18077
ClockID: 1
)TEXT";

inline constexpr char limits[] = R"TEXT(Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max file size             unlimited            unlimited            bytes     
Max data size             unlimited            unlimited            bytes     
Max stack size            8388608              unlimited            bytes     
Max core file size        0                    unlimited            bytes     
Max resident set          unlimited            unlimited            bytes     
Max processes             96365                96365                processes 
Max open files            20000                20000                files     
Max locked memory         8388608              8388608              bytes     
Max address space         unlimited            unlimited            bytes     
Max file locks            unlimited            unlimited            locks     
Max pending signals       96365                96365                signals   
Max msgqueue size         819200               819200               bytes     
Max nice priority         0                    0                    
Max realtime priority     0                    0                    
Max realtime timeout      unlimited            unlimited            us        
)TEXT";

}  // namespace samples
